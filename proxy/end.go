package proxy

// EndReason is why a connection ended. It is the same in logs, in the label of
// weir_proxy_connections_ended_total and behind the message to the client.
type EndReason uint8

// The reasons. A connection that ends for several takes the first.
const (
	EndUnknown EndReason = iota
	EndClientClosed
	EndClientLost
	EndClientStalled
	EndCancelRequest
	EndStartupRefused
	EndStartupTimeout
	EndTLSFailed
	EndLoginFailed
	EndConnectDenied
	EndLimitTotal
	EndLimitUser
	EndIdle
	EndIdleInTransaction
	EndProtocolViolation
	EndMessageTooLong
	EndUpstreamUnreachable
	EndUpstreamRefused
	EndUpstreamFatal
	EndUpstreamLost
	EndUpstreamViolation
	EndLineageMismatch
	EndMaskFailed
	EndReadOnlyUndone
	EndRowLimit
	EndKilled
	EndUserDisabled
	EndShutdown
	EndInternal
	endReasons
)

var endTexts = [endReasons]struct{ name, doc string }{
	EndUnknown:             {"unknown", "no reason was recorded"},
	EndClientClosed:        {"client_closed", "the client said goodbye"},
	EndClientLost:          {"client_lost", "the client's connection broke without a goodbye"},
	EndClientStalled:       {"client_stalled", "the client stopped in the middle of a message, or took no results for too long"},
	EndCancelRequest:       {"cancel_request", "the connection carried a cancel request, which has no answer"},
	EndStartupRefused:      {"startup_refused", "the first messages asked for something that is refused: plaintext, replication, an unknown protocol"},
	EndStartupTimeout:      {"startup_timeout", "startup and login took too long"},
	EndTLSFailed:           {"tls_failed", "the TLS handshake failed, or bytes came before it"},
	EndLoginFailed:         {"login_failed", "the client did not prove who it is"},
	EndConnectDenied:       {"connect_denied", "policy does not let this person connect to this datasource"},
	EndLimitTotal:          {"limit_total", "there are too many connections"},
	EndLimitUser:           {"limit_user", "the user has too many connections"},
	EndIdle:                {"idle_timeout", "the session was idle outside a transaction for too long"},
	EndIdleInTransaction:   {"idle_in_transaction_timeout", "the session was idle inside a transaction for too long"},
	EndProtocolViolation:   {"protocol_violation", "the client sent a message that is malformed or has no place here"},
	EndMessageTooLong:      {"message_too_long", "the client sent a message over the limit"},
	EndUpstreamUnreachable: {"upstream_unreachable", "the database could not be reached"},
	EndUpstreamRefused:     {"upstream_refused", "the database refused weir's login"},
	EndUpstreamFatal:       {"upstream_fatal", "the database ended the session and said why"},
	EndUpstreamLost:        {"upstream_lost", "the database's connection broke"},
	EndUpstreamViolation:   {"upstream_violation", "the database sent something that is malformed or was not asked for"},
	EndLineageMismatch:     {"lineage_mismatch", "the database describes a result otherwise than analysis did"},
	EndMaskFailed:          {"mask_failed", "a result could not be masked and could not be taken back"},
	EndReadOnlyUndone:      {"read_only_undone", "the session of a read-only source stopped being read-only"},
	EndRowLimit:            {"row_limit", "a result went over its limit of rows and the rest could not be taken back"},
	EndKilled:              {"killed", "an administrator ended the session"},
	EndUserDisabled:        {"user_disabled", "the user was disabled or removed"},
	EndShutdown:            {"shutdown", "weir is stopping"},
	EndInternal:            {"internal_error", "a fault in weir"},
}

// String gives the code.
func (r EndReason) String() string {
	if r < endReasons {
		return endTexts[r].name
	}
	return endTexts[EndUnknown].name
}

// Doc says in a sentence what the code means.
func (r EndReason) Doc() string {
	if r < endReasons {
		return endTexts[r].doc
	}
	return endTexts[EndUnknown].doc
}

// EndReasons lists all codes.
func EndReasons() []EndReason {
	all := make([]EndReason, 0, endReasons)
	for r := EndUnknown; r < endReasons; r++ {
		all = append(all, r)
	}
	return all
}
