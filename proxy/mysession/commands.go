package mysession

import (
	"context"
	"fmt"
	"strings"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
)

// command deals with one command of the client.
func (s *session) command(ctx context.Context, h mywire.Header) error {
	com := mywire.CommandOf(h)
	body, err := s.in.Body(s.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	if err := s.in.Discard(); err != nil {
		return clientError(err)
	}
	s.out.SetSeq(s.in.Seq())
	if h.Len == 0 {
		return protocolViolation("empty command")
	}
	if s.tracking.lost {
		if err := s.sureFor(com, body); err != nil {
			return err
		}
	}
	switch com {
	case mywire.ComQuery:
		return s.query(ctx, body)
	case mywire.ComStmtPrepare:
		return s.prepare(ctx, body)
	case mywire.ComStmtExecute:
		return s.execute(ctx, body)
	case mywire.ComStmtBulkExecute:
		return s.bulkExecute(ctx, body)
	case mywire.ComStmtFetch:
		return s.fetch(body)
	case mywire.ComStmtSendLongData:
		return s.longData(body)
	case mywire.ComStmtClose:
		return s.closeStatement(body)
	case mywire.ComStmtReset:
		return s.resetStatement(body)
	case mywire.ComQuit:
		return &ended{reason: proxy.EndClientClosed}
	case mywire.ComPing:
		return s.simple(body, com)
	case mywire.ComInitDB:
		return s.initDB(ctx, body)
	case mywire.ComChangeUser:
		return s.changeUser(ctx, body)
	case mywire.ComResetConnection:
		return s.resetConnection(ctx, body)
	case mywire.ComSetOption:
		return s.setOption(body)
	case mywire.ComFieldList:
		return s.fieldList(ctx, body)
	case mywire.ComStatistics:
		return s.judged(ctx, body, com, "SHOW STATUS LIKE 'Uptime'", formText) // it counts statements and opened tables, no rows
	case mywire.ComProcessInfo:
		return s.judged(ctx, body, com, "SHOW PROCESSLIST", formResults)
	case mywire.ComProcessKill:
		return s.processKill(ctx, body)
	}
	return s.refuse(com)
}

// refuse answers a command that weir does not carry: replication, what ends or
// changes the server, what MySQL itself has withdrawn, and what nobody knows.
func (s *session) refuse(com mywire.Command) error {
	switch com {
	case mywire.ComBinlogDump, mywire.ComBinlogDumpGTID, mywire.ComTableDump, mywire.ComRegisterSlave, mywire.ComConnectOut, mywire.ComClone:
		return s.fail(mywire.ErrSpecificAccess, mywire.StateAccess, "Access denied; replication is not carried by weir: connect to the database itself")
	case mywire.ComRefresh, mywire.ComShutdown, mywire.ComDebug:
		return s.fail(mywire.ErrSpecificAccess, mywire.StateAccess, fmt.Sprintf("Access denied; %s is not carried by weir", com))
	}
	return s.fail(mywire.ErrUnknownCommand, mywire.StateCommunication, "Unknown command")
}

// fail answers a command with an error of weir's own.
func (s *session) fail(number uint16, state, message string) error {
	return s.sayError(&mywire.ServerError{Number: number, State: state, Message: message})
}

func (s *session) sayError(e *mywire.ServerError) error {
	if err := s.out.Error(e); err != nil {
		return clientError(err)
	}
	return nil
}

// simple passes on a command that has nothing behind its byte.
func (s *session) simple(body []byte, com mywire.Command) error {
	if err := mywire.ParseEmpty(body, com); err != nil {
		return clientError(err)
	}
	if err := s.send(body); err != nil {
		return err
	}
	return s.relay(&answer{reply: newReply(formOK, s.up.Capabilities)})
}

// quoteName writes an identifier.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// initDB is USE.
func (s *session) initDB(ctx context.Context, body []byte) error {
	name, err := mywire.ParseText(body, mywire.ComInitDB)
	if err != nil {
		return clientError(err)
	}
	return s.judged(ctx, body, mywire.ComInitDB, "USE "+quoteName(string(name)), formOK)
}

// fieldList shows the columns of a table.
func (s *session) fieldList(ctx context.Context, body []byte) error {
	m, err := mywire.ParseFieldList(body)
	if err != nil {
		return clientError(err)
	}
	return s.judged(ctx, body, mywire.ComFieldList, "SHOW FULL COLUMNS FROM "+quoteName(string(m.Table)), formFields)
}

// judged passes on a command that does what a statement does, if that would be
// let pass.
func (s *session) judged(ctx context.Context, body []byte, com mywire.Command, text string, f form) error {
	q := s.question(ctx, text)
	st, err := s.judge(ctx, q)
	if err != nil {
		return err
	}
	if st.denial == nil && st.edited != "" {
		st.abort()
		st.denial = &mywire.ServerError{Number: mywire.ErrTableAccessDenied, State: mywire.StateAccess,
			Message: fmt.Sprintf("%s cannot show what is left of the table for you; use %s", com, text)}
	}
	if st.denial != nil {
		return s.sayError(st.denial)
	}
	if err := s.send(body); err != nil {
		return err
	}
	a := &answer{reply: newReply(f, s.up.Capabilities), st: st}
	if err := s.relay(a); err != nil {
		return err
	}
	if a.failed {
		s.failed(q)
		return nil
	}
	s.apply(q)
	return nil
}

// setOption says whether the client may send several statements in a text. The
// server's connection never allows it.
func (s *session) setOption(body []byte) error {
	option, err := mywire.ParseSetOption(body)
	if err != nil {
		return clientError(err)
	}
	if option > mywire.OptionMultiStatementsOff {
		return s.fail(mywire.ErrUnknownCommand, mywire.StateCommunication, "Unknown command")
	}
	s.multi = option == mywire.OptionMultiStatementsOn
	if err := s.out.ResultEnd(&mywire.OK{Status: s.status}); err != nil {
		return clientError(err)
	}
	return nil
}

// resetConnection takes the session back to its beginning. The server keeps the
// database; everything else is read anew.
func (s *session) resetConnection(ctx context.Context, body []byte) error {
	if err := s.simple(body, mywire.ComResetConnection); err != nil {
		return err
	}
	s.forgetPrepared()
	database := s.state.Database
	err := s.settle(ctx)
	s.state.Database = database
	if err != nil {
		return upstreamError(err)
	}
	return nil
}

// changeUser logs somebody in anew: another identity, perhaps another
// datasource, another decision, and a connection to the server of its own.
func (s *session) changeUser(ctx context.Context, body []byte) error {
	m, err := mywire.ParseChangeUser(body, s.caps)
	if err != nil {
		return clientError(err)
	}
	// Nothing of the session before is left, whatever comes.
	s.leave("changed_user")
	s.limit = timeLimit(s.options.StartupTimeout)
	s.in.SetLimit(s.limit)
	s.login.User, s.login.Database, s.login.AuthPlugin = m.User, m.Database, m.AuthPlugin
	if len(m.Attributes) > 0 {
		s.login.Attributes = m.Attributes
	}
	if m.Collation != 0 {
		s.login.Collation = byte(m.Collation)
	}
	s.splitName(m.User)
	s.identity, s.datasource, s.proof = nil, nil, nil
	err = s.authenticate(ctx, exchange{plugin: m.AuthPlugin, nonce: s.nonce, response: m.AuthResponse})
	if err == nil {
		err = s.chooseDatasource(ctx)
	}
	if err == nil {
		err = s.attach(ctx, s.login.Database, s.login.Collation)
	}
	if err != nil {
		s.gate = closedGate{}
		return clientError(err)
	}
	s.watchServer()
	s.multi = s.caps.Has(mywire.CapMultiStatements)
	s.in.SetLimit(noLimit)
	if s.options.Recheck != nil {
		if err := s.options.Recheck(ctx, s.identity); err != nil {
			return end(proxy.EndUserDisabled, err)
		}
	}
	if err := s.out.OK(&mywire.OK{Status: s.status, Info: s.proof}); err != nil {
		return clientError(err)
	}
	return nil
}

// leave ends what belongs to the present identity.
func (s *session) leave(reason string) {
	s.forgetPrepared()
	s.conn.Server.Unregister(s.conn.ID)
	s.handler.connections.set(s.id, nil)
	s.who.Store(nil)
	_ = s.up.Close()
	s.gate.Close(reason)
}
