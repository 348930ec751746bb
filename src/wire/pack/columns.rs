//! Rows of figures, kept column by column: what is alike lies together, which compresses well.

use super::{
    bytes::{In, Out, unzigzag, zigzag},
    error::{PackError, Result, Trouble},
};

/// What a column holds, for errors, and how it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// Each figure as it is.
    Plain(&'static str),
    /// The difference to the figure above.
    Delta(&'static str),
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain(name) | Self::Delta(name) => name,
        }
    }
}

/// Columns that are being written.
#[derive(Debug)]
pub(super) struct ColumnsOut<const N: usize> {
    columns: &'static [Column; N],
    outs: [Out; N],
    above: [u64; N],
    rows: usize,
}

impl<const N: usize> ColumnsOut<N> {
    pub(super) fn new(columns: &'static [Column; N]) -> Self {
        Self { columns, outs: std::array::from_fn(|_| Out::default()), above: [0; N], rows: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, row: [u64; N]) {
        for (n, column) in self.columns.iter().enumerate() {
            let figure = match column {
                Column::Plain(_) => row[n],
                Column::Delta(_) => zigzag(row[n].wrapping_sub(self.above[n]).cast_signed()),
            };
            self.outs[n].number(figure);
        }
        self.above = row;
        self.rows += 1;
    }

    pub(super) fn finish(self, out: &mut Out) {
        out.count(self.rows);
        for column in self.outs {
            out.block(&column.into_bytes());
        }
    }
}

/// Columns that are being read, row by row.
#[derive(Debug)]
pub(super) struct ColumnsIn<'a, const N: usize> {
    columns: &'static [Column; N],
    ins: [In<'a>; N],
    row: [u64; N],
    left: usize,
}

impl<'a, const N: usize> ColumnsIn<'a, N> {
    pub(super) fn new(columns: &'static [Column; N], input: &mut In<'a>) -> Result<Self> {
        let left: usize = input.narrow("rows")?;
        let mut ins = [*input; N];
        for (column, part) in columns.iter().zip(&mut ins) {
            *part = input.block(column.name())?;
            // Each figure takes a byte at least.
            if part.left() < left {
                return Err(part.error(column.name(), Trouble::Cut));
            }
        }
        Ok(Self { columns, ins, row: [0; N], left })
    }

    /// How many rows are left. Room may be made for so many.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Goes on to the next row; `false` after the last.
    #[inline]
    pub(super) fn next(&mut self) -> Result<bool> {
        if self.left == 0 {
            for (column, input) in self.columns.iter().zip(&self.ins) {
                input.end(column.name())?;
            }
            return Ok(false);
        }
        self.next_of(std::array::from_fn::<_, N, _>(|n| n))
    }

    /// As [`Self::next`], for whoever wants only those columns of any row.
    #[inline]
    pub(super) fn next_of<const M: usize>(&mut self, wanted: [usize; M]) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        for n in wanted {
            let column = &self.columns[n];
            let figure = self.ins[n].number(column.name())?;
            self.row[n] = match column {
                Column::Plain(_) => figure,
                Column::Delta(_) => self.row[n].wrapping_add(unzigzag(figure).cast_unsigned()),
            };
        }
        Ok(true)
    }

    /// A figure of this row, as what it was.
    #[inline]
    pub(super) fn get<T: TryFrom<u64>>(&self, column: usize) -> Result<T> {
        T::try_from(self.row[column]).map_err(|_| self.error(column, Trouble::TooLarge))
    }

    /// An error in a figure of this row.
    pub(super) fn error(&self, column: usize, trouble: Trouble) -> PackError {
        self.ins[column].error(self.columns[column].name(), trouble)
    }
}
