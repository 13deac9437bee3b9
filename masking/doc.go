// Package masking replaces one cell of a result by a masked cell of the same
// type in the same wire format.
//
// Its invariants, and the tests that hold them:
//
//   - null and redact give the same bytes whatever comes in, SQL NULL included
//     (TestConstantMasksAreConstant).
//   - The original never comes out by accident: what a function cannot read or
//     cannot express (short input, invalid UTF-8, NaN, infinity, a BC date, a
//     result out of range) becomes the redact constant of the type
//     (TestOriginalNeverComesOutByAccident).
//   - The text and the binary form of one value mask to the same logical value,
//     which is valid in its type, declared length, precision and scale
//     (TestFormatsAgree, FuzzCell).
//
// A Column says what comes (Type, Format) and what is to happen (Spec); NewPlan
// compiles the columns of one result, Plan.Cell masks one cell. The package
// knows nothing of frames, of SQL, or of who is asking.
package masking
