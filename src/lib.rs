//! twtop
pub mod cli;
pub mod export;
pub mod field;
pub mod model;
pub mod query;
pub mod source;
pub mod store;
pub mod ui;
pub mod wire;
