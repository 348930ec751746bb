//! Time as columns of dots.

use crate::{
    store::Series,
    ui::pen::{self, Columns},
};

/// The least and the most samples that a chart spans: a minute and all that is kept, at one a second.
const LEAST: usize = 60;
const MOST: usize = 900;
/// How many columns a sample may take.
const WIDE: [usize; 6] = [8, 6, 4, 3, 2, 1];

/// How samples become columns of dots. It changes only when what is known grows beyond a span, so that a curve moves to
/// the left and does nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Span {
    /// Columns that there are for the past.
    pub(in crate::ui) columns: u16,
    /// Columns that one sample takes; 1 where several samples share a column.
    wide: u16,
    /// Samples that it covers at least.
    samples: u16,
}

impl Span {
    /// A span that holds `known` samples, on so many columns of dots: samples are as wide as they can be, and a whole
    /// number of columns each.
    pub(in crate::ui) fn of(known: usize, columns: usize) -> Self {
        let known = known.clamp(LEAST, MOST);
        let samples = match WIDE.into_iter().find(|wide| columns / wide >= known) {
            Some(wide) => columns / wide,
            None => columns * known.div_ceil(columns.max(1)),
        };
        Self::fixed(u16::try_from(samples).unwrap_or(u16::MAX), columns)
    }

    /// That many samples or more, on so many columns of dots.
    pub(in crate::ui) fn fixed(samples: u16, columns: usize) -> Self {
        let columns = u16::try_from(columns).unwrap_or(u16::MAX);
        Self { columns, wide: (columns / samples.max(1)).max(1), samples }
    }

    /// Samples to a column of dots, less than 1 where a sample takes several.
    pub(in crate::ui) fn per_column(self) -> f64 {
        f64::from(self.samples.div_ceil(self.columns.max(1)).max(1)) / f64::from(self.wide)
    }

    /// How many columns `samples` samples take, some of which may share one with others.
    pub(in crate::ui) fn columns_of(self, samples: usize, shown: &Columns) -> usize {
        samples.div_ceil(shown.each).saturating_mul(self.wide.into()).min(shown.values.len())
    }

    /// A value for each column, oldest first, the last for the newest sample; fewer than there are columns if there are
    /// not so many. `behind` and `number` are as in [`pen::columns`].
    pub(in crate::ui) fn values(self, series: &Series, behind: usize, number: u64) -> Columns {
        self.widened(|columns, samples| pen::columns(series, columns, samples, behind, number))
    }

    /// As [`Self::values`], while the moment of `behind` samples ago is held, as in [`pen::held_columns`].
    pub(in crate::ui) fn held_values(self, series: &Series, behind: usize, number: u64) -> Columns {
        self.widened(|columns, samples| pen::held_columns(series, columns, samples, behind, number))
    }

    /// How many columns of dots from the right of `shown` the sample lies that is `behind` samples older than the newest of
    /// the series; nothing if it is not in sight.
    pub(in crate::ui) fn back(self, shown: &Columns, behind: usize) -> Option<u16> {
        let back = shown.back(behind)?.saturating_mul(self.wide);
        Some(back).filter(|back| usize::from(*back) < shown.values.len())
    }

    /// What `columns` makes of so many columns and samples, on columns of dots.
    fn widened(self, columns: impl FnOnce(u16, u16) -> Columns) -> Columns {
        if self.samples > self.columns {
            return columns(self.columns, self.samples);
        }
        let shown = columns(self.columns.div_ceil(self.wide), 0);
        let each = shown.values.into_iter().flat_map(|value| std::iter::repeat_n(value, self.wide.into()));
        let mut values: Vec<_> = each.collect();
        values.drain(..values.len().saturating_sub(self.columns.into()));
        let cursor = shown.cursor.map(|back| back.saturating_mul(self.wide));
        Columns { values, cursor, ..shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: u8) -> Series {
        let mut series = Series::default();
        (0..n).for_each(|value| series.push(Some(value.into())));
        series
    }

    #[test]
    fn a_sample_takes_as_many_columns_as_there_are_for_it() {
        let span = Span::of(5, 130);
        let shown = span.values(&series(3), 0, 2);
        assert_eq!((span.wide, span.per_column(), span.columns_of(2, &shown)), (2, 0.5, 4));
        assert_eq!(shown.values, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0].map(Some));
        // The oldest sample in sight may have room for a part only.
        let span = Span { columns: 3, wide: 2, samples: 1 };
        assert_eq!(span.values(&series(3), 0, 2).values, [1.0, 2.0, 2.0].map(Some));
        assert_eq!(span.values(&series(3), 1, 1).values, [0.0, 1.0, 1.0].map(Some));
    }

    #[test]
    fn a_held_moment_lies_where_its_sample_is_drawn() {
        let span = Span { columns: 8, wide: 2, samples: 4 };
        let held = |behind| span.held_values(&series(9), behind, 8);
        assert_eq!((held(0).cursor, held(3).cursor), (Some(0), Some(6)));
        assert_eq!((&held(3).values, held(3).behind), (&held(0).values, 0));
        // Beyond the first sample in sight the others go along.
        assert_eq!((held(5).cursor, held(5).values[0], held(5).behind), (Some(6), Some(3.0), 2));
    }

    #[test]
    fn samples_share_a_column_where_there_are_more_of_them() {
        let span = Span::of(61, 60);
        let shown = span.values(&series(4), 0, 3);
        assert_eq!((span.per_column(), span.columns_of(3, &shown)), (2.0, 2));
        assert_eq!(shown.values, [0.5, 2.5].map(Some));
    }

    #[test]
    fn the_span_grows_in_few_steps_and_is_used_well() {
        let spans = [1, 60, 61, 100, 101, 201, 5000].map(|known| Span::of(known, 100));
        let taken = spans.map(|span| (span.samples, span.wide));
        let expected = [(100, 1), (100, 1), (100, 1), (100, 1), (200, 1), (300, 1), (900, 1)];
        assert_eq!(taken, expected);
        let wide = [1, 61, 76].map(|known| (Span::of(known, 150).samples, Span::of(known, 150).wide));
        assert_eq!(wide, [(75, 2), (75, 2), (150, 1)]);
        assert_eq!(Span::of(5, 0).values(&series(5), 0, 4).values.len(), 0);
    }
}
