// Package masking replaces one cell of a result by a masked cell of the same
// type in the same wire format.
//
// Its invariants, each with a test of that name:
//
//   - Constant masks are constant: null and redact give the same bytes whatever
//     comes in, SQL NULL included.
//   - The original never comes out by accident: what a function cannot read or
//     cannot express (short input, invalid UTF-8, NaN, infinity, a BC date, a
//     result out of range) becomes the redact constant of the type.
//   - Masked cells stay valid: in their type, declared length, precision and
//     scale, and in their format.
//   - Formats agree: the text and the binary form of one value mask to the same
//     logical value.
//
// A Column says what comes (Type, Format) and what is to happen (Spec); NewPlan
// compiles the columns of one result, Plan.Cell masks one cell. The package
// knows nothing of frames, of SQL, or of who is asking.
package masking
