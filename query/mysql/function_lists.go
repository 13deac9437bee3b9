package mysql

import "strings"

// builtinFunctions classifies the built-in functions of MySQL 5.7 to 9 and
// MariaDB 10.2 to 11 by name. A function that is not here is not known.
//
// Pure functions depend on their arguments and on settings of the session
// (sql_mode, time zone, character sets, block_encryption_mode …). Their errors
// and warnings quote arguments alone.
var builtinFunctions = func() map[string]Safety {
	m := map[string]Safety{}
	add := func(s Safety, words string) {
		for _, w := range strings.Fields(words) {
			m[w] = s
		}
	}
	// Comparison, control flow, numbers and bits.
	add(Pure, "abs acos asin atan atan2 bin bit_count ceil ceiling coalesce conv cos cot crc32 crc32c degrees elt exp "+
		"export_set field floor format greatest hex if ifnull interval isnull least ln log log10 log2 make_set mod nullif nvl nvl2 "+
		"oct pi pow power radians round sign sin sqrt tan truncate unhex")
	// Text.
	add(Pure, "ascii bit_length char char_length character_length chr concat concat_ws convert find_in_set from_base64 insert "+
		"instr lcase left length lengthb locate lower lpad ltrim mid natural_sort_key octet_length octet_len ord position quote "+
		"regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right rpad rtrim sformat soundex space strcmp "+
		"substr substring substring_index to_base64 to_char to_number trim ucase upper weight_string extractvalue updatexml")
	add(Pure, "concat_operator_oracle decode_oracle lpad_oracle ltrim_oracle replace_oracle rpad_oracle rtrim_oracle substr_oracle trim_oracle")
	// Dates and times, without those that read the clock.
	add(Pure, "add_months adddate addtime convert_tz date date_add date_format date_sub datediff day dayname dayofmonth dayofweek "+
		"dayofyear extract from_days from_unixtime get_format hour last_day makedate maketime microsecond minute month monthname "+
		"months_between period_add period_diff quarter sec_to_time second str_to_date subdate subtime time time_format time_to_sec "+
		"timediff timestamp timestampadd timestampdiff to_days to_seconds trunc week weekday weekofyear year yearweek")
	add(Session, "curdate current_date current_time current_timestamp curtime localtime localtimestamp now sysdate "+
		"unix_timestamp utc_date utc_time utc_timestamp")
	// JSON, dynamic columns, XML.
	add(Pure, "json_array json_array_append json_array_insert json_compact json_contains json_contains_path json_depth json_detailed "+
		"json_equals json_exists json_extract json_insert json_keys json_length json_loose json_merge json_merge_patch "+
		"json_merge_preserve json_normalize json_object json_overlaps json_pretty json_query json_quote json_remove json_replace "+
		"json_schema_valid json_schema_validation_report json_search json_set json_storage_free json_storage_size json_type "+
		"json_unquote json_valid json_value json_array_intersect json_object_filter_keys json_object_to_array json_key_value member "+
		"column_add column_check column_create column_delete column_exists column_get column_json column_list")
	m["member of"] = Pure
	// Hashes and ciphers. Some take random salts.
	add(Pure, "aes_decrypt aes_encrypt compress decode des_decrypt des_encrypt encode kdf md5 old_password password sha sha1 sha2 "+
		"uncompress uncompressed_length validate_password_strength statement_digest statement_digest_text")
	add(Chance, "encrypt rand random_bytes uuid uuid_short sys_guid uuid_v4 uuid_v7")
	// Addresses and identifiers.
	add(Pure, "bin_to_uuid inet6_aton inet6_ntoa inet_aton inet_ntoa is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid "+
		"uuid_to_bin format_bytes format_pico_time")
	// What is known of the arguments, the session and the server.
	add(Pure, "any_value charset coercibility collation name_const grouping decode_histogram gtid_subset gtid_subtract")
	add(Session, "benchmark connection_id current_role current_user database found_rows icu_version last_insert_id ps_current_thread_id "+
		"row_count rownum schema session_user sleep system_user user version")
	// Geometry.
	add(Pure, "area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint distance "+
		"endpoint envelope equals exteriorring geomcollection geomcollfromtext geomcollfromwkb geometrycollection "+
		"geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype geomfromtext "+
		"geomfromwkb glength interiorringn intersects isclosed isempty isring issimple linefromtext linefromwkb linestring "+
		"linestringfromtext linestringfromwkb mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals mbrintersects "+
		"mbroverlaps mbrtouches mbrwithin mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb mpolyfromtext mpolyfromwkb "+
		"multilinestring multilinestringfromtext multilinestringfromwkb multipoint multipointfromtext multipointfromwkb multipolygon "+
		"multipolygonfromtext multipolygonfromwkb numgeometries numinteriorrings numpoints overlaps point pointfromtext pointfromwkb "+
		"pointn pointonsurface polyfromtext polyfromwkb polygon polygonfromtext polygonfromwkb srid startpoint touches within x y")
	add(Pure, "st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_boundary st_buffer st_buffer_strategy st_centroid "+
		"st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint "+
		"st_envelope st_equals st_exteriorring st_frechetdistance st_geohash st_geomcollfromtext st_geomcollfromtxt st_geomcollfromwkb "+
		"st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn "+
		"st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_hausdorffdistance st_interiorringn st_intersection "+
		"st_intersects st_isclosed st_iscollection st_isempty st_isring st_issimple st_isvalid st_latfromgeohash st_latitude st_length "+
		"st_linefromtext st_linefromwkb st_lineinterpolatepoint st_lineinterpolatepoints st_linestringfromtext "+
		"st_linestringfromwkb st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb st_mpointfromtext "+
		"st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb "+
		"st_multipointfromtext st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries "+
		"st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointatdistance st_pointfromgeohash st_pointfromtext "+
		"st_pointfromwkb st_pointn st_pointonsurface st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb st_relate "+
		"st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x st_y")
	// Vectors.
	add(Pure, "vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext vector_dim")
	add(Reads, "binlog_gtid_pos is_free_lock is_used_lock ps_thread_id roles_graphml wsrep_last_seen_gtid wsrep_last_written_gtid")
	add(Runs, "master_gtid_wait master_pos_wait source_pos_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids "+
		"wsrep_sync_wait_upto_gtid")
	add(Files, "load_file")
	add(Writes, "get_lock release_all_locks release_lock")
	return m
}()

// sessionWrites change the session alone, and end with it: a read-only source
// allows them.
var sessionWrites = map[string]bool{"get_lock": true, "release_all_locks": true, "release_lock": true}

// aggregates are the aggregate functions, windowFunctions those that are called
// with OVER alone.
var aggregates = words("avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max min std stddev stddev_pop " +
	"stddev_samp sum var_pop var_samp variance")

var windowFunctions = words("cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number")

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}
