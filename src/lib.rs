//! twtop explains a Linux host's TCP connections on a terminal: which state piles up and since when, which
//! process causes it and towards whom, and how many local ports are left. This page is its architecture.
//!
//! # The picture
//!
//! ```text
//!  kernel                 sampler thread                          the loop (tokio, one thread)
//!  ------                 --------------                          ----------------------------
//!  sock_diag  --+
//!  /proc/*/fd   +-> source --> Sample --> store::Ledger --> Moment ==channel==> store::History
//!  counters   --+  (wire parses bytes)   (remembers by cookie)                  ui::Past  (15 minutes of looks)
//!                                                                               ui::View <- keys, ticks, signals
//!                                                                                    |
//!                                                    ui::select (off the loop        v
//!                                                    when tables are large) --> ui::render --> encoder ==> writer thread --> terminal
//!                                                                               export  --> file, stdout
//! ```
//!
//! A [`model::Sample`] is what the kernel said at one instant, plus the faults that kept some of it away. All that
//! is shown is derived from samples by the same pure code. `twtop snapshot` runs the same path without the loop.
//!
//! # Modules
//!
//! | module | what it is | may import |
//! | --- | --- | --- |
//! | [`model`] | the nouns: state, socket, owner, evidence, sample, fault. No I/O | nothing |
//! | [`wire`] | bytes to nouns: netlink messages, `tcp_info`, texts of `/proc`; samples packed into few bytes and read back. Pure | `model` |
//! | [`source`] | the only I/O that observes: `sock_diag`, the scan of descriptors, counters, settings, the clock | `model`, `wire` |
//! | [`store`] | samples folded: connections remembered by cookie, owners, counts, time series. Pure | `model` |
//! | [`findings`] | what is wrong, who causes it, what to do: one file a diagnosis, behind one trait. Pure | `model`, `store` |
//! | [`field`] | the table of metrics: title, unit, meaning, getter; columns, sort keys and JSON keys come from it | `model`, `store`, `findings` |
//! | [`query`] | the filter language, selection and sorting. Pure | the above but `source`, `wire` |
//! | [`export`] | text, JSON, CSV, markdown | the same and `query` |
//! | [`ui`] | the command table, the view, what a key does, the panes. Pure | the same and `query` |
//! | [`cli`] | arguments as typed and the configuration file, then resolved | `query`, `export`'s format, `ui`'s theme, keymap and settings, `model`'s text |
//! | [`app`] | the wiring: threads, the loop, the terminal and the bytes for it, files | everything |
//!
//! A test reads the imports of every file and fails on one that is not in this table.
//!
//! # The five rules
//!
//! 1. **One mutator.** The ledger belongs to the sampler's thread; history, past, watch and view to the loop. Finished, immutable
//!    moments go from one to the other; there are no locks.
//! 2. **Time is data.** It arrives with a sample or a tick. Nothing but `source::clock` asks a clock; clippy's
//!    `disallowed-methods` says so.
//! 3. **Drawing is pure** and builds only the rows that are visible.
//! 4. **Identity is (network namespace, cookie)**, never the 4-tuple and never a row number: a tuple opened again has
//!    a new cookie, a `TIME_WAIT` keeps the cookie of the connection it ends, and a selection follows it.
//! 5. **Unknown is a value.** What was denied, gone, lost or truncated is shown with its share; it is never guessed
//!    and never dropped.
//!
//! # How twtop knows an owner
//!
//! The kernel forgets the owner of a socket when it enters `TIME_WAIT`. twtop names one only on evidence, and every
//! owner carries its [`model::Evidence`]: `traced` (the kernel's tracepoint told who closed it, joined by 4-tuple and time
//! once and by cookie from then on), `held` (a process has a descriptor on the socket now), `seen` (the same
//! cookie was alive in an earlier sample and a process held it), `listener` (accepted from a listener that one process
//! holds), `candidates` (a set, one of which it is), `unknown` (with the reason). Descriptors are read before and
//! after the dump, because a short connection's descriptor is gone when one looks only afterwards.
//!
//! # How a finding is made
//!
//! The ledger counts each moment by flow ([`store::FlowTable`]): whose connections, on which side, of which service.
//! [`store::Flows`] keeps half a minute of that, bounded. A [`findings::Diagnosis`] is a pure function of the newest moment,
//! the history and those flows; [`findings::Watch`] raises what holds for a while and keeps it from flapping. It belongs to the
//! loop, beside the history: its work depends on the number of flows, which is bounded. A moment goes to the screen with what was
//! found by then as a [`ui::Look`], so that a held picture holds both. Rates come
//! from the trace where it told of everything, else from the exact counters and what the samples saw: a finding without
//! the trace says less, not something else. A finding is about who closes or leaks, never about who happens to be there: a
//! client that wins the race against a server that closes is not accused, and where both ends are on this host and it cannot
//! be told which resets, nobody is named.
//!
//! # How the past is kept
//!
//! The loop keeps every look for as long as the series last ([`ui::Past`]), as a [`store::Brief`]: its counts, shared with
//! the one before where they are equal. Its sockets are kept as well, as far as a bound allows: those of the newest looks as they came,
//! those of older ones packed ([`store::Bundle`], in a form that the wiring hands over) and unpacked when somebody goes there. A moment
//! without them says so ([`store::Moment::is_whole`]), and what only sockets could tell is then not shown. A held picture
//! ([`ui::Playhead`]) has the series as they were when it was held, and finds its place in them by the stamp: what is drawn
//! of it depends on nothing that came later.
//!
//! # How the past is shown
//!
//! The loop keeps what it showed: [`ui::past::Past`] has the [`ui::Look`]s of 15 minutes, the newest with their sockets for as long
//! as a bound of memory allows, the others as [`store::Brief`]s, which hold the totals. Stepping back puts such a look, and a
//! frozen history, where the live ones stood: all that selects and draws is the same code, and nothing of now can leak in. A
//! moment without its sockets says so ([`store::Moment::is_whole`]); what needs them shows a sentence, never a figure. A mark is a
//! look too: what has changed is the difference of two selections under the same filter.
//!
//! # How little goes to the terminal
//!
//! A moment is drawn once, a key once; while a frame is on its way no other is drawn. The encoder compares the frame with the one
//! before and writes only cells that changed, by the shortest moves and attributes that a VT100 knows; a frame that is the same
//! writes nothing. A thread of its own does the blocking writes, so a terminal that stalls delays neither keys nor samples.
//!
//! # Cost
//!
//! A dump of both families is one pass over the kernel's hash, parsed in place; nothing is allocated per socket, and a
//! kept `TIME_WAIT` takes 36 bytes: its row and its link to an owner (a full socket has a detail beside it). The fold and the counts run on the sampler's thread, so the loop's work per sample
//! depends on the number of processes and peers, not of sockets. `cargo bench --bench sample` measures all of it as a
//! ratio to a bare receive loop.

pub mod app;
pub mod cli;
pub mod export;
pub mod field;
pub mod findings;
pub mod model;
pub mod query;
pub mod source;
pub mod store;
pub mod ui;
pub mod wire;
