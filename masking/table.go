package masking

var fillArg = Argument{Name: "fill", Type: "string", Default: "*", Doc: "the character that hides"}

// table describes all functions, in the order of the documentation.
var table = []Info{
	{Name: nullName, Doc: "SQL NULL, always", Kinds: allKinds(KindOther), Constant: true},
	{Name: redactName, Doc: "one constant that is valid for the type, SQL NULL included", Constant: true,
		Kinds: allKinds(KindBool, KindOther, KindComposite),
		Args:  []Argument{{Name: "value", Type: "string", Doc: "the constant to show; a number or a boolean for those types"}}},
	{Name: "partial", Doc: "keeps the first and last characters", Kinds: textKinds, Arrays: true, Args: []Argument{
		{Name: "first", Type: "integer", Default: "1", Doc: "characters kept in front (0 if last is given)"},
		{Name: "last", Type: "integer", Default: "0", Doc: "characters kept at the end"}, fillArg}},
	{Name: "email", Doc: "hides the local part of an e-mail address", Kinds: textKinds, Arrays: true, Args: []Argument{
		{Name: "first", Type: "integer", Default: "1", Doc: "characters of the local part that are kept"},
		{Name: "domain", Type: "string", Default: "keep", Doc: "keep, or mask all but the last label"}}},
	{Name: "phone", Doc: "keeps the last digits and the separators of a phone number", Kinds: textKinds, Arrays: true, Args: []Argument{
		{Name: "last", Type: "integer", Default: "4", Doc: "digits kept, at most 6"}, fillArg}},
	{Name: "card", Doc: "keeps the last four digits and the separators of a card number", Kinds: textKinds, Arrays: true,
		Args: []Argument{fillArg}},
	{Name: "iban", Doc: "keeps the country and the last four characters of an IBAN", Kinds: textKinds, Arrays: true,
		Args: []Argument{fillArg}},
	{Name: "hash", Doc: "keyed HMAC-SHA-256: hexadecimal in text, else a value of the type", Keyed: true, Arrays: true,
		Kinds: hashKinds},
	{Name: "pseudonym", Doc: "a readable token, the same for a value wherever it occurs", Keyed: true, Arrays: true,
		Kinds: keyedKinds},
	{Name: "fpe", Doc: "format-preserving encryption (FF1) of digits or alphanumerics", Keyed: true, Arrays: true,
		Kinds: fpeKinds, Args: []Argument{
			{Name: "alphabet", Type: "string", Default: "digits", Doc: "digits, lower, upper (each with digits), or alphanumeric"},
			{Name: "tweak", Type: "string", Doc: "tells purposes apart: another tweak gives other results"}}},
	{Name: "date_trunc", Doc: "goes back to the beginning of a unit of time", Arrays: true,
		Kinds: truncKinds, Args: []Argument{
			{Name: "unit", Type: "string", Required: true, Doc: "year, quarter, month, week, day, hour or minute"}}},
	{Name: "date_shift", Doc: "moves all dates of one subject by the same number of days", Keyed: true, Arrays: true,
		Kinds: dateKinds, Args: []Argument{
			{Name: "subject", Type: "string", Required: true, Doc: "the column of the same result that holds the subject's key"},
			{Name: "days", Type: "integer", Default: "30", Doc: "the farthest shift, either way"}}},
	{Name: "bucket", Doc: "the lower bound of the bucket that holds a number; in text the bucket itself", Arrays: true,
		Kinds: bucketKinds, Args: []Argument{
			{Name: "width", Type: "number", Required: true, Doc: "width of a bucket"},
			{Name: "offset", Type: "number", Default: "0", Doc: "where a bucket begins"}}},
	{Name: "noise", Doc: "adds an amount that depends on the value and the key alone", Keyed: true, Arrays: true,
		Kinds: numberKinds, Args: []Argument{
			{Name: "relative", Type: "number", Doc: "amplitude as a share of the value, at most 1"},
			{Name: "absolute", Type: "number", Doc: "amplitude as a number; give one of the two"}}},
	{Name: "fake", Doc: "an invented value that depends on the original and the key", Keyed: true, Arrays: true, Kinds: textKinds,
		Args: []Argument{{Name: "kind", Type: "string", Required: true,
			Doc: "first_name, last_name, full_name, address, city, company, email or phone"}}},
	{Name: "regex", Doc: "replaces what an RE2 pattern matches and keeps the rest", Kinds: textKinds, Arrays: true, Args: []Argument{
		{Name: "pattern", Type: "string", Required: true, Doc: "RE2 pattern"},
		{Name: "replacement", Type: "string", Doc: "may name groups: ${1}"},
		{Name: "unmatched", Type: "string", Default: "redact", Doc: "what becomes of a value without a match: redact or keep"}}},
	{Name: "json", Doc: "masks values inside a document, each path with a mask of its own", Keyed: true, Arrays: true,
		Kinds: []Kind{KindJSON, KindJSONB}, Args: []Argument{
			{Name: "paths", Type: "object", Required: true, Doc: "from a path ($.a.b, $.a[0], $.a[*], $.*, $..a) to null or {function, args}"}}},
}

// parser gives the reader of a function's arguments, nil if there is no such
// function. It is apart from the table because json's leads back to it.
func parser(name string) func(*arguments) builder {
	switch name {
	case nullName:
		return parseNull
	case redactName:
		return parseRedact
	case "partial":
		return parsePartial
	case "email":
		return parseEmail
	case "phone":
		return parsePhone
	case "card":
		return parseCard
	case "iban":
		return parseIBAN
	case "hash":
		return parseHash
	case "pseudonym":
		return parsePseudonym
	case "fpe":
		return parseFPE
	case "date_trunc":
		return parseDateTrunc
	case "date_shift":
		return parseDateShift
	case "bucket":
		return parseBucket
	case "noise":
		return parseNoise
	case "fake":
		return parseFake
	case "regex":
		return parseRegex
	case "json":
		return parseJSON
	}
	return nil
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
