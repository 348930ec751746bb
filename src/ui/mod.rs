//! The screen: what is shown and what a key does. Pure: no clock, no terminal, no file.
//!
//! ```text
//!  key, sample, resize ──> update(view, input) ──> effects for the wiring to carry out
//!                              │
//!           select(view, moment) ──> Selection: the rows, filtered and sorted, once a moment
//!                              │
//!           draw(frame, scene) ──> cells: only the visible rows are built
//! ```
//!
//! * [`command`] is the table of commands; keys ([`keymap`]), the palette, the help page and the footer come from it.
//! * [`settings`] are what the configuration file says of the screen: keys, columns, orders, the first view.
//! * [`view`] holds what the person has chosen, and nothing else; only [`update()`] changes it.
//! * [`past`] keeps the looks of the last 15 minutes, and [`playhead`] goes from one to another.
//! * [`mark`] is the moment that others are compared with; `baseline` is what a page showed then.
//! * [`scene`] brings the view and the data together for one frame; `totals` stands in for the sockets of a moment that no
//!   longer has them.
//! * `prompt` is a line that is typed: a filter (`filter_line`), a command (`palette`), words that narrow the kernel's view
//!   (`names`). `mouse` says what a click means, `copy` and `export` what is asked of the clipboard and of a file.
//! * `recent`, `course` and `story` remember what no history has: of a filter, of one socket, of a finding that has ended.
//! * `layout` is arithmetic on the terminal's size, `pane` draws one file a pane, `footer` the last line, [`theme`] names
//!   every colour and glyph.
//! * `chart` turns values into dots and dots into cells.
//! * [`picture`] turns a frame into an SVG.

mod baseline;
mod chart;
mod closer;
mod columns;
pub mod command;
mod copy;
mod course;
mod draw;
mod elsewhere;
mod export;
mod filter_line;
mod footer;
mod header;
mod help;
mod in_short;
mod kernel;
mod key;
pub mod keymap;
pub mod layout;
pub mod mark;
mod mouse;
mod names;
mod notice;
mod palette;
mod pane;
pub mod past;
mod pen;
pub mod picture;
pub mod playhead;
mod prompt;
mod recent;
pub mod scene;
mod select;
pub mod settings;
mod since;
mod sorting;
mod story;
mod table;
mod text;
pub mod theme;
mod totals;
mod update;
mod verdict;
pub mod view;
mod why;
mod words;

pub use draw::{draw, places, render, render_pane};
pub use export::{ExportPart, ExportRequest, Exportable};
pub use past::Past;
pub use playhead::{Playhead, Sources};
pub use prompt::{Offer, Prompt};
pub use scene::{Data, Link, Look, Maybe, Scene, Selection};
pub use select::select;
pub use settings::Settings;
pub use theme::{Palette, Theme};
pub use update::{Effect, Input, update};
pub use view::{Filter, Message, View};
