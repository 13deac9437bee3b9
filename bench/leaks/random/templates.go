package random

// templates are expressions by result type. {t} stands for an argument of type
// t, {=} for one of the result's own type. Those that call a function of public
// serve where there is one.
var templates = map[string][]string{
	"int4": {"{int4} + 1", "({int4} + {int4} % 97)", "{int4} % 7", "-({int4} % 1000)", "length({text})", "abs({int4} % 10000)", "({int4} / nullif({int4}, 0))", "ascii({text})", "strpos({text}, {text})",
		"cardinality({_text})", "array_length({_int4}, 1)", "extract(year FROM {date})::int4", "width_bucket({float8}, 0, 100, 5)", "({int4} & {int4})", "octet_length({bytea})", "position({text} IN {text})",
		"({date} - {date})", "char_length({varchar})", "jsonb_array_length(jsonb_build_array({text}, {int4}))", "array_position({_text}, {text})", "num_nonnulls({text}, {int4})", "bit_length({text})", "public.levenshtein(left({text}, 8), 'abc')"},
	"int8": {"({int8} + {int4})", "{int4}::int8", "abs({int8} % 1000)", "({int8} / nullif({int4}, 0))", "hashtext({text})::int8", "extract(epoch FROM {date})::int8", "({int8} % 10)"},
	"numeric": {"({numeric} + {numeric})", "({numeric} - {int4})", "round({numeric}, 1)", "round({numeric} * 1.2, 2)", "abs({numeric})", "({numeric} / nullif({numeric}, 0))", "{int4}::numeric", "trunc({numeric})", "ceil({numeric})",
		"extract(month FROM {date})", "mod({numeric}, 7)", "greatest({numeric}, {numeric})", "to_number('12' || left(md5({text}), 0), '99')", "extract(dow FROM {timestamptz})", "sign({numeric})"},
	"float8": {"({float8} + {float8})", "sqrt(abs({float8}))", "{numeric}::float8", "({float8} * 2)", "({point} <-> {point})", "floor({float8})", "atan2({float8}, 1)", "date_part('day', {timestamp})", "public.similarity({text}, {text})::float8"},
	"text": {"upper({text})", "lower({text})", "({text} || {text})", "left({text}, 3)", "right({text}, 4)", "substr({text}, 2, 3)", "reverse({text})", "md5({text})", "{int4}::text", "{numeric}::text", "{date}::text", "concat({text}, {int4}, {text})",
		"concat_ws('-', {text}, {text})", "format('%s/%s', {text}, {int4})", "coalesce({text}, 'none')", "nullif({text}, {text})", "trim({text})", "replace({text}, 'a', 'b')", "split_part({text}, '-', 1)", "translate({text}, 'abc', 'xyz')", "initcap({text})",
		"to_char({date}, 'YYYY-MM')", "to_char({numeric}, 'FM999999990.00')", "({jsonb} ->> 'a')", "({jsonb} #>> '{a,b}')", "encode({bytea}, 'hex')", "quote_literal({text})", "regexp_replace({text}, '[0-9]+', '#')", "substring({text} FROM '[a-z]+')",
		"array_to_string({_text}, ',')", "({_text})[1]", "overlay({text} PLACING 'xx' FROM 1 FOR 2)", "host({inet})", "{uuid}::text", "{bpchar}::text", "{varchar}::text", "rpad({text}, 5, '.')", "repeat(left({text}, 4), 2)", "{bool}::text", "{jsonb}::text",
		"chr(65 + abs({int4} % 26))", "{text} COLLATE \"C\"", "normalize({text})", "pg_typeof({int4})::text", "{daterange}::text", "{interval}::text", "public.unaccent({text})", "public.soundex({text})"},
	"bool": {"({int4} = {int4})", "({int4} < {int4})", "({int4} >= {int4})", "({text} = {text})", "({text} < {text})", "({text} LIKE {text})", "({text} ILIKE '%a%')", "({text} ~ '^[A-M]')", "({text} IS NULL)", "({numeric} > {numeric})", "({date} < {date})",
		"({date} BETWEEN {date} AND {date})", "({int4} IN ({int4}, {int4}, 4))", "({text} IN ({text}, {text}))", "({bool} AND {bool})", "({bool} OR {bool})", "(NOT {bool})", "({bool} IS TRUE)", "({text} IS DISTINCT FROM {text})", "({jsonb} @> {jsonb})", "({jsonb} ? 'a')",
		"({_text} && {_text})", "({text} = ANY ({_text}))", "({int4} <> ALL ({_int4}))", "starts_with({text}, {text})", "({daterange} @> {date})", "({daterange} && {daterange})", "({inet} << '10.0.0.0/8'::inet)", "(({int4}, {text}) = ({int4}, {text}))",
		"(({int4}, {date}) < ({int4}, {date}))", "isempty({daterange})", "({numeric} BETWEEN SYMMETRIC {numeric} AND {numeric})", "({text} SIMILAR TO '[A-Z]%')", "({date}, {date}) OVERLAPS ({date}, {date})", "({point} ~= {point})", "({timestamptz} > {timestamptz})", "({uuid} = {uuid})",
		"({bytea} < {bytea})", "xmlexists('/a' PASSING ({xml}))", "({bool} IS NOT UNKNOWN)", "(ROW({int4}, {text}) IS NOT NULL)", "({jsonb} @? '$.a')", "({tsvector} @@ {tsquery})"},
	"date":        {"({date} + {int4} % 100)", "({date} - 1)", "{timestamptz}::date", "{timestamp}::date", "make_date(2020, 1 + abs({int4} % 12), 3)", "lower({daterange})", "greatest({date}, {date})"},
	"timestamp":   {"({date} + {interval})", "date_trunc('month', {timestamp})", "({timestamp} + interval '1 day')", "{date}::timestamp", "({timestamptz} AT TIME ZONE 'UTC')"},
	"timestamptz": {"date_trunc('day', {timestamptz})", "({timestamptz} + {interval})", "{date}::timestamptz", "({timestamp} AT TIME ZONE 'Europe/Vienna')", "to_timestamp({float8})"},
	"interval":    {"({timestamptz} - {timestamptz})", "({interval} + {interval})", "age({timestamp}, {timestamp})", "make_interval(days => {int4} % 30)", "justify_days({interval})", "({interval} * 2)"},
	"jsonb": {"jsonb_build_object('k', {text}, 'n', {int4})", "jsonb_build_array({text}, {int4}, {bool})", "to_jsonb({text})", "to_jsonb({int4})", "({jsonb} || {jsonb})", "({jsonb} - 'a')", "jsonb_set({jsonb}, '{x}', to_jsonb({int4}))", "{json}::jsonb", "({jsonb} -> 'a')",
		"jsonb_strip_nulls({jsonb})", "to_jsonb({_text})", "jsonb_path_query_first({jsonb}, '$.*')", "to_jsonb(ROW({int4}, {text}))"},
	"json":      {"json_build_object('k', {text})", "to_json({text})", "row_to_json(ROW({int4}, {text}))", "json_build_array({int4}, {date})", "{jsonb}::json", "array_to_json({_int4})"},
	"_text":     {"ARRAY[{text}, {text}]", "string_to_array({text}, ',')", "({_text} || {text})", "array_remove({_text}, {text})", "regexp_split_to_array({text}, '-')", "array_append({_text}, {text})", "({_text})[1:2]", "array_cat({_text}, {_text})", "{_int4}::text[]"},
	"_int4":     {"ARRAY[{int4}, {int4}]", "({_int4} || {int4})", "array_fill({int4}, ARRAY[2])", "({_int4})[1:1]", "array_replace({_int4}, 1, {int4})"},
	"uuid":      {"md5({text})::uuid", "{uuid}"},
	"bytea":     {"convert_to({text}, 'UTF8')", "decode(md5({text}), 'hex')", "sha256({bytea})", "({bytea} || {bytea})", "substring({bytea} FROM 1 FOR 2)"},
	"inet":      {"({inet} + {int4} % 100)", "network({inet})::inet", "set_masklen({inet}, 16)"},
	"daterange": {"daterange({date}, NULL)", "({daterange} * {daterange})", "daterange(least({date}, {date}), NULL, '[]')"},
	"numrange":  {"numrange({numeric}, NULL)", "({numrange} * {numrange})"},
	"point":     {"point({float8}, {float8})", "({point} + {point})"},
	"tsvector":  {"to_tsvector('simple', {text})", "({tsvector} || {tsvector})", "strip({tsvector})"},
	"tsquery":   {"plainto_tsquery('simple', {text})", "({tsquery} && {tsquery})"},
	"xml":       {"xmlelement(name a, {text})", "xmlforest({text} AS b)", "xmlcomment('c')"},
	"bpchar":    {"{text}::bpchar(5)", "left({bpchar}, 2)::bpchar"},
	"varchar":   {"{text}::varchar(10)", "{varchar}::varchar(3)"},
}

// generic are expressions of every type.
var generic = []string{"coalesce({=}, {=})", "CASE WHEN {bool} THEN {=} ELSE {=} END", "CASE WHEN {bool} THEN {=} END", "nullif({=}, {=})", "({=})", "CASE {int4} WHEN {int4} THEN {=} ELSE {=} END", "(ARRAY[{=}, {=}])[1]", "greatest({=}, {=})", "least({=}, {=})"}

// uncomparable types have no operators for equality or order.
var uncomparable = map[string]bool{"json": true, "xml": true, "point": true, "box": true, "circle": true, "lseg": true, "path": true, "polygon": true, "line": true, "jsonpath": true}

// aggregates are templates by result type; all arguments are in braces.
var aggregates = map[string][]string{
	"int8":      {"count(*)", "count({text})", "count(DISTINCT {text})", "count({int4})", "sum({int4})", "count(DISTINCT {int4})"},
	"int4":      {"min({int4})", "max({int4})", "bit_and({int4})", "(percentile_disc(0.5) WITHIN GROUP (ORDER BY {int4}))", "count(*)::int4", "(mode() WITHIN GROUP (ORDER BY {int4}))", "bit_or({int4})"},
	"numeric":   {"sum({numeric})", "avg({numeric})", "min({numeric})", "max({numeric})", "avg({int4})", "var_pop({numeric})", "stddev({numeric})"},
	"float8":    {"avg({float8})", "(percentile_cont(0.5) WITHIN GROUP (ORDER BY {float8}))", "corr({float8}, {float8})", "regr_slope({float8}, {float8})", "max({float8})", "stddev_pop({float8})"},
	"text":      {"min({text})", "max({text})", "string_agg({text}, ',' ORDER BY {text})", "string_agg(DISTINCT {text}, '|')", "string_agg({text}, '')", "(mode() WITHIN GROUP (ORDER BY {text}))"},
	"bool":      {"bool_and({bool})", "bool_or({bool})", "every({bool})", "(count(*) > 3)", "(max({int4}) < 10)", "(min({text}) < 'M')"},
	"date":      {"min({date})", "max({date})"},
	"jsonb":     {"jsonb_agg({text})", "jsonb_agg({int4} ORDER BY {int4})", "jsonb_object_agg(coalesce({text}, ''), {int4})"},
	"json":      {"json_agg({text})", "json_object_agg(coalesce({text}, ''), {int4})"},
	"_text":     {"array_agg({text})", "array_agg({text} ORDER BY {int4}, {text} DESC)", "array_agg(DISTINCT {text})"},
	"_int4":     {"array_agg({int4})", "array_agg({int4} ORDER BY {date})"},
	"interval":  {"sum({interval})", "avg({interval})"},
	"tsvector":  {},
	"inet":      {"max({inet})"},
	"timestamp": {"min({timestamp})", "max({timestamp})"}, "timestamptz": {"min({timestamptz})", "max({timestamptz})"},
	"bytea": {"string_agg({bytea}, '')"}, "xml": {"xmlagg({xml})"},
}

// windows are templates of window functions without OVER.
var windows = map[string][]string{
	"int8":    {"row_number()", "rank()", "dense_rank()", "count(*)", "count({text})", "sum({int4})"},
	"int4":    {"ntile(4)", "lag({int4})", "lead({int4}, 1, 0)", "first_value({int4})", "max({int4})", "nth_value({int4}, 2)"},
	"float8":  {"percent_rank()", "cume_dist()", "avg({float8})"},
	"numeric": {"sum({numeric})", "avg({numeric})", "lag({numeric})"},
	"text":    {"lag({text})", "first_value({text})", "last_value({text})", "min({text})", "string_agg({text}, ',')"},
	"date":    {"lag({date})", "max({date})"}, "bool": {"bool_or({bool})"}, "_text": {"array_agg({text})"}, "jsonb": {"jsonb_agg({text})"},
}
