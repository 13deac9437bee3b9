package mysession

import (
	"fmt"

	"github.com/weirdb/weir/protocol/mywire"
)

// What the server's reply to a command may look like (MySQL documentation,
// Command Phase). The value is pure: headers and counts in, meanings out.

// form is the shape of a reply.
type form uint8

const (
	formOK        form = iota // one OK or ERR: COM_PING, COM_INIT_DB, …
	formResults               // COM_QUERY, COM_STMT_EXECUTE: any number of results
	formPrepared              // COM_STMT_PREPARE
	formRows                  // COM_STMT_FETCH: rows of an open cursor
	formFields                // COM_FIELD_LIST: definitions up to EOF
	formText                  // COM_STATISTICS: one packet of text
	formOptionSet             // COM_SET_OPTION: EOF
)

// stage is how far a reply has come.
type stage uint8

const (
	stageFirst      stage = iota // the first packet of a reply or of another result
	stageColumns                 // definitions of columns
	stageColumnsEnd              // their EOF, where EOF is not deprecated
	stageRows
	stageParams    // of a prepared statement
	stageParamsEnd // their EOF
	stageFile      // the client's file; then OK or ERR
	stageDone
)

// meaning is what a packet is.
type meaning uint8

const (
	isOK meaning = iota + 1
	isError
	isFileRequest
	isCount
	isColumn
	isColumnsEnd
	isRow
	isRowsEnd
	isPrepared
	isParam
	isParamsEnd
	isText
)

// violation is a packet in a place where it may not stand.
type violation struct {
	want string
	got  byte
}

func (v *violation) Error() string {
	return fmt.Sprintf("unexpected packet 0x%02x: want %s", v.got, v.want)
}

// reply follows the server's reply to one command.
type reply struct {
	form  form
	eof   bool // definitions end in EOF packets: not deprecated
	stage stage
	left  int // definitions to come
	after int // columns of a prepared statement behind its parameters
}

func newReply(f form, caps mywire.Capabilities) reply {
	r := reply{form: f, eof: !caps.Has(mywire.CapDeprecateEOF)}
	switch f {
	case formRows:
		r.stage = stageRows
	}
	return r
}

func (r *reply) done() bool { return r.stage == stageDone }

// next says what a packet is. Those with numbers inside are reported back by
// counted, prepared or ended.
func (r *reply) next(h mywire.Header) (meaning, error) {
	if h.Len == 0 && r.form != formText {
		return 0, &violation{want: "a packet that is not empty"}
	}
	switch r.stage {
	case stageFirst:
		return r.first(h)
	case stageFile:
		if h.Type == mywire.MarkOK {
			return isOK, nil
		}
		return r.failure(h, "OK or ERR after the file")
	case stageColumns:
		if h.Type == mywire.MarkErr {
			return r.failure(h, "")
		}
		if r.left--; r.left == 0 {
			r.defined()
		}
		return isColumn, nil
	case stageParams:
		if r.left--; r.left == 0 {
			r.parametersDefined()
		}
		return isParam, nil
	case stageColumnsEnd, stageParamsEnd:
		return r.definitionsEnd(h)
	case stageRows:
		switch {
		case h.Type == mywire.MarkErr:
			return r.failure(h, "")
		case mywire.RowEnds(h):
			return isRowsEnd, nil
		}
		return isRow, nil
	}
	return 0, &violation{want: "nothing more", got: h.Type}
}

// first is the first packet of a reply or result.
func (r *reply) first(h mywire.Header) (meaning, error) {
	if h.Type == mywire.MarkErr && r.form != formText {
		return r.failure(h, "")
	}
	switch r.form {
	case formOK:
		if h.Type == mywire.MarkOK {
			return isOK, nil
		}
		return 0, &violation{want: "OK", got: h.Type}
	case formOptionSet:
		if h.Type == mywire.MarkEOF || h.Type == mywire.MarkOK {
			return isRowsEnd, nil
		}
		return 0, &violation{want: "EOF", got: h.Type}
	case formText:
		r.stage = stageDone
		return isText, nil
	case formPrepared:
		if h.Type == mywire.MarkOK {
			return isPrepared, nil
		}
		return 0, &violation{want: "COM_STMT_PREPARE_OK", got: h.Type}
	case formFields:
		if mywire.RowEnds(h) {
			return isRowsEnd, nil
		}
		return isColumn, nil
	}
	switch mywire.KindOfResult(h) {
	case mywire.ResultOK:
		return isOK, nil
	case mywire.ResultLocalFile:
		r.stage = stageFile
		return isFileRequest, nil
	}
	return isCount, nil
}

// failure ends a reply by an ERR packet.
func (r *reply) failure(h mywire.Header, want string) (meaning, error) {
	if h.Type != mywire.MarkErr {
		return 0, &violation{want: want, got: h.Type}
	}
	r.stage = stageDone
	return isError, nil
}

// counted begins a result of n columns.
func (r *reply) counted(n int) { r.stage, r.left = stageColumns, n }

// prepared begins the definitions of a prepared statement.
func (r *reply) prepared(params, columns int) {
	r.after = columns
	if r.left = params; params > 0 {
		r.stage = stageParams
		return
	}
	r.columnsOfPrepared()
}

// defined follows the last definition of a result or prepared statement.
func (r *reply) defined() {
	switch {
	case r.eof:
		r.stage = stageColumnsEnd
	case r.form == formPrepared:
		r.stage = stageDone
	default:
		r.stage = stageRows
	}
}

func (r *reply) parametersDefined() {
	if r.eof {
		r.stage = stageParamsEnd
		return
	}
	r.columnsOfPrepared()
}

func (r *reply) columnsOfPrepared() {
	if r.left = r.after; r.left > 0 {
		r.stage = stageColumns
		return
	}
	r.stage = stageDone
}

func (r *reply) definitionsEnd(h mywire.Header) (meaning, error) {
	if h.Type != mywire.MarkEOF {
		return r.failure(h, "EOF or ERR after the definitions")
	}
	if r.stage == stageParamsEnd {
		r.columnsOfPrepared()
		return isParamsEnd, nil
	}
	r.stage = stageRows
	if r.form == formPrepared {
		r.stage = stageDone
	}
	return isColumnsEnd, nil
}

// ended follows an OK, or the end of rows, with its status.
func (r *reply) ended(status mywire.Status) {
	if r.form == formResults && status.Has(mywire.StatusMoreResults) {
		r.stage = stageFirst
		return
	}
	r.stage = stageDone
}

// cursorOpened follows definitions whose EOF says that the rows are to be
// fetched.
func (r *reply) cursorOpened() { r.stage = stageDone }
