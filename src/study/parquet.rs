//! Tables as Parquet, column by column, with real types: what `cells.csv` and `summary.csv` have, for whoever has more of it
//! than text is good for.
//!
//! Not compressed beyond its dictionaries, and without anything that names a machine or a day: the same table has the same
//! bytes.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::table::{Column, Field};

/// Rows that are held before they are written: some tens of megabytes.
const ROWS_HELD: usize = 1 << 17;

/// A column's values that are not written yet.
enum Held {
    Whole(Vec<i64>),
    Text(Vec<Option<ByteArray>>),
    Value(Vec<Option<f64>>),
}

/// A table that is being written.
pub(super) struct Columns {
    writer: SerializedFileWriter<Vec<u8>>,
    held: Vec<Held>,
    rows: usize,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Columns {
    /// One with these columns and no row.
    pub(super) fn new(columns: &[(String, Column)]) -> Result<Columns, ParquetError> {
        let fields = columns.iter().map(|(name, column)| field(name, *column).map(Arc::new));
        let schema = Type::group_type_builder("table").with_fields(fields.collect::<Result<_, _>>()?).build()?;
        let properties = WriterProperties::builder().set_created_by("refresh-sim".to_owned()).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let held = columns.iter().map(|(_, column)| match column {
            Column::Whole => Held::Whole(Vec::new()),
            Column::Text => Held::Text(Vec::new()),
            Column::Value => Held::Value(Vec::new()),
        });
        Ok(Columns { writer, held: held.collect(), rows: 0 })
    }

    /// Adds a row: a field for each column, of its kind.
    pub(super) fn add(&mut self, row: &[Field<'_>]) -> Result<(), ParquetError> {
        for (held, field) in self.held.iter_mut().zip(row) {
            match (held, field) {
                (Held::Whole(held), Field::Whole(n)) => held.push(i64::try_from(*n).unwrap_or(i64::MAX)),
                (Held::Whole(held), Field::Text(text)) => {
                    let number = text.parse().map_err(|_| ParquetError::General(format!("{text:?} is no number")))?;
                    held.push(number);
                }
                (Held::Text(held), Field::Text(text)) => {
                    held.push((!text.is_empty()).then(|| ByteArray::from(*text)));
                }
                (Held::Value(held), Field::Value(value)) => held.push(value.map(double)),
                _ => return Err(ParquetError::General("a field of another kind than its column".to_owned())),
            }
        }
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_HELD) { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for held in &mut self.held {
            match held {
                Held::Whole(held) => {
                    let mut column = next(&mut group)?;
                    column.typed::<Int64Type>().write_batch(held, None, None)?;
                    column.close()?;
                    held.clear();
                }
                Held::Text(held) => {
                    let (values, levels) = apart(held);
                    let mut column = next(&mut group)?;
                    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                    column.close()?;
                }
                Held::Value(held) => {
                    let (values, levels) = apart(held);
                    let mut column = next(&mut group)?;
                    column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
                    column.close()?;
                }
            }
        }
        group.close().map(drop)
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        if !self.rows.is_multiple_of(ROWS_HELD) {
            self.flush()?;
        }
        self.writer.into_inner()
    }
}

fn next<'a, 'b>(
    group: &'a mut SerializedRowGroupWriter<'b, Vec<u8>>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'a>, ParquetError> {
    group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".to_owned()))
}

/// The values that there are, and for each row whether there is one.
fn apart<T>(held: &mut Vec<Option<T>>) -> (Vec<T>, Vec<i16>) {
    let levels = held.iter().map(|value| i16::from(value.is_some())).collect();
    (held.drain(..).flatten().collect(), levels)
}

/// As whoever reads the `inf` of the text has it. Beyond 2^53 the last digits are rounded.
fn double(value: u64) -> f64 {
    if value == u64::MAX { f64::INFINITY } else { value as f64 }
}

fn field(name: &str, column: Column) -> Result<Type, ParquetError> {
    match column {
        Column::Whole => {
            Type::primitive_type_builder(name, Physical::INT64).with_repetition(Repetition::REQUIRED).build()
        }
        Column::Text => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::String))
            .build(),
        Column::Value => {
            Type::primitive_type_builder(name, Physical::DOUBLE).with_repetition(Repetition::OPTIONAL).build()
        }
    }
}
