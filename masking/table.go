package masking

// functions is the table of all functions, in the order of the documentation.
// It is a function because json's row leads back to the table.
func functions() []function {
	fill := Argument{Name: "fill", Type: "string", Default: "*", Doc: "the character that hides"}
	return []function{
		{Info{Name: nullName, Doc: "SQL NULL, always", Kinds: allKinds(0), Constant: true}, parseNull},
		{Info{Name: redactName, Doc: "one constant that is valid for the type, SQL NULL included", Constant: true,
			Kinds: allKinds(KindBool, KindOther, KindComposite),
			Args:  []Argument{{Name: "value", Type: "string", Doc: "the constant to show; a number or a boolean for those types"}}},
			parseRedact},
		{Info{Name: "partial", Doc: "keeps the first and last characters", Kinds: textKinds, Arrays: true, Args: []Argument{
			{Name: "first", Type: "integer", Default: "1", Doc: "characters kept in front (0 if last is given)"},
			{Name: "last", Type: "integer", Default: "0", Doc: "characters kept at the end"}, fill}}, parsePartial},
		{Info{Name: "email", Doc: "hides the local part of an e-mail address", Kinds: textKinds, Arrays: true, Args: []Argument{
			{Name: "first", Type: "integer", Default: "1", Doc: "characters of the local part that are kept"},
			{Name: "domain", Type: "string", Default: "keep", Doc: "keep, or mask all but the last label"}}}, parseEmail},
		{Info{Name: "phone", Doc: "keeps the last digits and the separators of a phone number", Kinds: textKinds, Arrays: true, Args: []Argument{
			{Name: "last", Type: "integer", Default: "4", Doc: "digits kept, at most 6"}, fill}}, parsePhone},
		{Info{Name: "card", Doc: "keeps the last four digits and the separators of a card number", Kinds: textKinds, Arrays: true,
			Args: []Argument{fill}}, parseCard},
		{Info{Name: "iban", Doc: "keeps the country and the last four characters of an IBAN", Kinds: textKinds, Arrays: true,
			Args: []Argument{fill}}, parseIBAN},
		{Info{Name: "hash", Doc: "keyed HMAC-SHA-256: hexadecimal in text, else a value of the type", Keyed: true, Arrays: true,
			Kinds: append([]Kind{KindBytes}, keyedKinds...)}, parseHash},
		{Info{Name: "pseudonym", Doc: "a readable token, the same for a value wherever it occurs", Keyed: true, Arrays: true,
			Kinds: keyedKinds}, parsePseudonym},
		{Info{Name: "fpe", Doc: "format-preserving encryption (FF1) of digits or alphanumerics", Keyed: true, Arrays: true,
			Kinds: []Kind{KindText, KindBPChar, KindInt32, KindInt64, KindNumeric}, Args: []Argument{
				{Name: "alphabet", Type: "string", Default: "digits", Doc: "digits, lower, upper (each with digits), or alphanumeric"},
				{Name: "tweak", Type: "string", Doc: "tells purposes apart: another tweak gives other results"}}}, parseFPE},
		{Info{Name: "date_trunc", Doc: "goes back to the beginning of a unit of time", Arrays: true,
			Kinds: append([]Kind{KindTime, KindTimeTZ}, dateKinds...), Args: []Argument{
				{Name: "unit", Type: "string", Required: true, Doc: "year, quarter, month, week, day, hour or minute"}}}, parseDateTrunc},
		{Info{Name: "date_shift", Doc: "moves all dates of one subject by the same number of days", Keyed: true, Arrays: true,
			Kinds: dateKinds, Args: []Argument{
				{Name: "subject", Type: "string", Required: true, Doc: "the column of the same result that holds the subject's key"},
				{Name: "days", Type: "integer", Default: "30", Doc: "the farthest shift, either way"}}}, parseDateShift},
		{Info{Name: "bucket", Doc: "the lower bound of the bucket that holds a number; in text the bucket itself", Arrays: true,
			Kinds: append(append([]Kind{}, numberKinds...), textKinds...), Args: []Argument{
				{Name: "width", Type: "number", Required: true, Doc: "width of a bucket"},
				{Name: "offset", Type: "number", Default: "0", Doc: "where a bucket begins"}}}, parseBucket},
		{Info{Name: "noise", Doc: "adds an amount that depends on the value and the key alone", Keyed: true, Arrays: true,
			Kinds: numberKinds, Args: []Argument{
				{Name: "relative", Type: "number", Doc: "amplitude as a share of the value, at most 1"},
				{Name: "absolute", Type: "number", Doc: "amplitude as a number; give one of the two"}}}, parseNoise},
		{Info{Name: "fake", Doc: "an invented value that depends on the original and the key", Keyed: true, Arrays: true, Kinds: textKinds,
			Args: []Argument{{Name: "kind", Type: "string", Required: true,
				Doc: "first_name, last_name, full_name, address, city, company, email or phone"}}}, parseFake},
		{Info{Name: "regex", Doc: "replaces what an RE2 pattern matches and keeps the rest", Kinds: textKinds, Arrays: true, Args: []Argument{
			{Name: "pattern", Type: "string", Required: true, Doc: "RE2 pattern"},
			{Name: "replacement", Type: "string", Doc: "may name groups: ${1}"},
			{Name: "unmatched", Type: "string", Default: "redact", Doc: "what becomes of a value without a match: redact or keep"}}}, parseRegex},
		{Info{Name: "json", Doc: "masks values inside a document, each path with a mask of its own", Keyed: true, Arrays: true,
			Kinds: []Kind{KindJSON, KindJSONB}, Args: []Argument{
				{Name: "paths", Type: "object", Required: true, Doc: "from a path ($.a.b, $.a[0], $.a[*], $.*, $..a) to null or {function, args}"}}}, parseJSON},
	}
}

// allKinds lists the kinds from first on without those that are left out.
func allKinds(first Kind, without ...Kind) []Kind {
	var kinds []Kind
next:
	for k := first; k < kindCount; k++ {
		for _, w := range without {
			if k == w {
				continue next
			}
		}
		kinds = append(kinds, k)
	}
	return kinds
}
