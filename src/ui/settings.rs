//! What the configuration file says of the screen: keys, columns, orders and the first view.

pub use super::command::VIEWS;
use super::{
    columns::{self, Column},
    keymap::Keymap,
    view::Pane,
};
use crate::query::{Sort, nearest_name};

/// A table whose columns and order can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Processes.
    Processes,
    /// Peers.
    Peers,
    /// Destinations and the ports they take.
    Ports,
    /// What is wrong.
    Findings,
    /// Sockets.
    Sockets,
}

/// How the screen is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which key asks for what.
    pub keymap: Keymap,
    /// The number of the view that is shown first.
    pub view: u8,
    columns: Vec<(Pane, Vec<Column>)>,
    sorts: Vec<(Pane, Sort)>,
}

/// Why a table cannot have a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnError {
    /// The table has no such column; the one that may have been meant.
    Unknown(Option<&'static str>),
    /// It stands in the list already.
    Twice,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keymap: Keymap::default(), view: 1, columns: vec![], sorts: vec![] }
    }
}

impl Listed {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Processes, Self::Peers, Self::Ports, Self::Findings, Self::Sockets];

    /// What the configuration file calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Peers => "peers",
            Self::Ports => "ports",
            Self::Findings => "findings",
            Self::Sockets => "sockets",
        }
    }

    /// The keys of all columns that it can have, in the order in which they stand unless another is chosen.
    pub fn columns(self) -> impl Iterator<Item = &'static str> {
        columns::columns(self.pane()).iter().map(|column| column.key)
    }

    const fn pane(self) -> Pane {
        match self {
            Self::Processes => Pane::Processes,
            Self::Peers => Pane::Peers,
            Self::Ports => Pane::Destinations,
            Self::Findings => Pane::Findings,
            Self::Sockets => Pane::Sockets,
        }
    }

    fn column(self, key: &str) -> Result<&'static Column, ColumnError> {
        let column = columns::columns(self.pane()).iter().find(|column| column.key == key);
        column.ok_or_else(|| ColumnError::Unknown(nearest_name(key, self.columns())))
    }
}

impl Settings {
    /// Shows the view of that name first. False if there is none.
    #[must_use]
    pub fn choose_view(&mut self, name: &str) -> bool {
        let number = (1_u8..).zip(VIEWS).find(|(_, view)| *view == name).map(|(number, _)| number);
        self.view = number.unwrap_or(self.view);
        number.is_some()
    }

    /// Gives a table the columns of those keys, in that order. What the width has no room for is left out as ever.
    ///
    /// # Errors
    /// The index of the first key that cannot be, and why.
    pub fn choose_columns(&mut self, table: Listed, keys: &[&str]) -> Result<(), (usize, ColumnError)> {
        let mut chosen: Vec<Column> = vec![];
        for (index, key) in keys.iter().enumerate() {
            let column = table.column(key).map_err(|error| (index, error))?;
            if chosen.contains(column) {
                return Err((index, ColumnError::Twice));
            }
            chosen.push(*column);
        }
        self.columns.push((table.pane(), chosen));
        Ok(())
    }

    /// Puts a table in the order of the column of that key.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn choose_sort(&mut self, table: Listed, key: &str, descending: bool) -> Result<(), ColumnError> {
        let key = table.column(key)?.key;
        self.sorts.push((table.pane(), Sort { key, descending }));
        Ok(())
    }

    /// The columns that the table in `pane` may have.
    pub(super) fn columns(&self, pane: Pane) -> &[Column] {
        let chosen = self.columns.iter().find(|(of, _)| *of == pane);
        chosen.map_or(columns::columns(pane), |(_, columns)| columns)
    }

    /// The order that was chosen for the table in `pane`.
    pub(super) fn sort(&self, pane: Pane) -> Option<Sort> {
        self.sorts.iter().find(|(of, _)| *of == pane).map(|(_, sort)| *sort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_columns_stand_in_their_order() {
        let mut settings = Settings::default();
        settings.choose_columns(Listed::Peers, &["time_wait", "address"]).expect("both are columns");
        let keys: Vec<_> = settings.columns(Pane::Peers).iter().map(|column| column.key).collect();
        assert_eq!(keys, ["time_wait", "address"]);
        assert!(Listed::Processes.columns().eq(settings.columns(Pane::Processes).iter().map(|c| c.key)));
    }

    #[test]
    fn what_is_no_column_is_told_with_what_may_have_been_meant() {
        let mut settings = Settings::default();
        let unknown = settings.choose_columns(Listed::Sockets, &["state", "recvq"]);
        assert_eq!(unknown, Err((1, ColumnError::Unknown(Some("recv_q")))));
        let twice = settings.choose_columns(Listed::Sockets, &["state", "pid", "state"]);
        assert_eq!(twice, Err((2, ColumnError::Twice)));
        let sort = settings.choose_sort(Listed::Ports, "pid", true);
        assert!(matches!(sort, Err(ColumnError::Unknown(_))));
        assert_eq!(settings, Settings::default(), "what was refused leaves no trace");
    }

    #[test]
    fn a_view_has_the_name_of_its_command() {
        let mut settings = Settings::default();
        assert!(settings.choose_view("findings") && settings.view == 6);
        assert!(!settings.choose_view("findngs") && settings.view == 6);
    }
}
