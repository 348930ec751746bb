//! Time as columns of dots.

use crate::{
    store::Series,
    ui::pen::{self, newest},
};

/// The spans that a chart may have, samples: at one a second a minute, two, five and all that is kept.
const SPANS: [u16; 4] = [60, 120, 300, 900];

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
    /// The shortest span that holds `known` samples, on so many columns of dots.
    pub(in crate::ui) fn of(known: usize, columns: usize) -> Self {
        let samples = SPANS.into_iter().find(|&span| known <= usize::from(span));
        Self::fixed(samples.unwrap_or(SPANS[SPANS.len() - 1]), columns)
    }

    /// That many samples or more, on so many columns of dots.
    pub(in crate::ui) fn fixed(samples: u16, columns: usize) -> Self {
        let columns = u16::try_from(columns).unwrap_or(u16::MAX);
        Self { columns, wide: (columns / samples).max(1), samples }
    }

    /// Samples to a column of dots, less than 1 where a sample takes several.
    pub(in crate::ui) fn per_column(&self) -> f64 {
        f64::from(self.samples.div_ceil(self.columns.max(1)).max(1)) / f64::from(self.wide)
    }

    /// How many columns so many samples take, the newest of them included.
    pub(in crate::ui) fn columns_of(&self, samples: usize) -> usize {
        let each = usize::from(self.samples.div_ceil(self.columns.max(1)).max(1));
        samples.div_ceil(each).saturating_mul(self.wide.into())
    }

    /// A value for each column, oldest first, the last for the newest sample; fewer than there are columns if there are
    /// not so many. `behind` and `number` are as in [`pen::columns`].
    pub(in crate::ui) fn values(&self, series: &Series, behind: usize, number: u64) -> Vec<Option<f32>> {
        if self.samples > self.columns {
            return pen::columns(series, self.columns, self.samples, behind, number).values;
        }
        let values = newest(series, self.columns.div_ceil(self.wide), behind);
        let each = values.into_iter().flat_map(|value| std::iter::repeat_n(value, self.wide.into()));
        let mut each: Vec<_> = each.collect();
        each.drain(..each.len().saturating_sub(self.columns.into()));
        each
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
        assert_eq!((span.wide, span.per_column(), span.columns_of(3)), (2, 0.5, 6));
        let values = span.values(&series(3), 0, 2);
        assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0].map(Some));
        // The oldest sample in sight may have room for a part only.
        let span = Span { columns: 3, wide: 2, samples: 1 };
        assert_eq!(span.values(&series(3), 0, 2), [1.0, 2.0, 2.0].map(Some));
        assert_eq!(span.values(&series(3), 1, 1), [0.0, 1.0, 1.0].map(Some));
    }

    #[test]
    fn samples_share_a_column_where_there_are_more_of_them() {
        let span = Span::of(61, 60);
        assert_eq!((span.per_column(), span.columns_of(3)), (2.0, 2));
        assert_eq!(span.values(&series(4), 0, 3), [0.5, 2.5].map(Some));
    }

    #[test]
    fn the_span_grows_in_few_steps() {
        let spans = [1, 60, 61, 120, 121, 301, 5000].map(|known| Span::of(known, 100).samples);
        assert_eq!(spans, [60, 60, 120, 120, 300, 900, 900]);
    }
}
