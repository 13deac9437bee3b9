package main

import (
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"
)

// encode gives the bytes of a step, and how many ReadyForQuery answer them.
func (st *step) encode() (out []byte, ready int, err error) {
	w := &encoder{}
	switch {
	case st.Q != nil:
		text := *st.Q
		if st.Bytes == "latin1" {
			text = latin1(text)
		}
		w.add(&pgproto3.Query{String: text})
		ready = 1
	case st.X != nil:
		var format []int16
		if st.binary {
			format = []int16{1}
		}
		w.add(&pgproto3.Parse{Query: *st.X})
		w.add(&pgproto3.Bind{Parameters: values(st.Params), ResultFormatCodes: format})
		w.add(&pgproto3.Describe{ObjectType: 'P'})
		w.add(&pgproto3.Execute{MaxRows: st.Max})
		if st.Max > 0 {
			w.add(&pgproto3.Flush{})
		} else {
			w.add(&pgproto3.Sync{})
		}
		ready = 1
	case st.F != nil:
		oid, err := strconv.ParseUint(st.F.Func, 10, 32)
		if err != nil {
			return nil, 0, err
		}
		w.add(&pgproto3.FunctionCall{Function: uint32(oid), Arguments: values(st.F.Args), ResultFormatCode: uint16(st.F.Format)})
		ready = 1
	default:
		for _, o := range st.Pipe {
			n, err := w.op(o)
			if err != nil {
				return nil, 0, err
			}
			ready += n
		}
	}
	return w.out, ready, w.err
}

// encoder appends messages.
type encoder struct {
	out []byte
	err error
}

func (w *encoder) add(m pgproto3.FrontendMessage) {
	if w.err == nil {
		w.out, w.err = m.Encode(w.out)
	}
}

func (w *encoder) op(o op) (ready int, err error) {
	kind := byte('P')
	if o.Kind != "" {
		kind = o.Kind[0]
	}
	name := o.Name
	if kind == 'P' && o.Portal != "" {
		name = o.Portal
	}
	switch o.Op {
	case "parse":
		w.add(&pgproto3.Parse{Name: o.Name, Query: o.SQL, ParameterOIDs: o.Types})
	case "bind":
		w.add(&pgproto3.Bind{DestinationPortal: o.Portal, PreparedStatement: o.Name, Parameters: values(o.Params), ResultFormatCodes: o.Format})
	case "describe":
		w.add(&pgproto3.Describe{ObjectType: kind, Name: name})
	case "execute":
		portal := o.Portal
		if portal == "" {
			portal = o.Name
		}
		w.add(&pgproto3.Execute{Portal: portal, MaxRows: o.Max})
	case "close":
		w.add(&pgproto3.Close{ObjectType: kind, Name: name})
	case "flush":
		w.add(&pgproto3.Flush{})
	case "sync":
		w.add(&pgproto3.Sync{})
		return 1, nil
	case "query":
		w.add(&pgproto3.Query{String: o.SQL})
		return 1, nil
	default:
		return 0, fmt.Errorf("unknown op %q", o.Op)
	}
	return 0, nil
}

// copyData answers CopyInResponse.
func (st *step) copyData() []byte {
	w := &encoder{}
	if st.Data == nil {
		w.add(&pgproto3.CopyFail{Message: "no data in the case"})
	} else {
		w.add(&pgproto3.CopyData{Data: []byte(*st.Data)})
		w.add(&pgproto3.CopyDone{})
	}
	if st.X != nil || st.Pipe != nil { // a Sync before it was ignored
		w.add(&pgproto3.Sync{})
	}
	return w.out
}

// more answers the end of one Execute of a step with a limit.
func (st *step) more(kind byte) []byte {
	w := &encoder{}
	if kind == 's' {
		w.add(&pgproto3.Execute{MaxRows: st.Max})
		w.add(&pgproto3.Flush{})
	} else {
		w.add(&pgproto3.Sync{})
	}
	return w.out
}

func values(list []*string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		if s != nil {
			out[i] = []byte(*s)
		}
	}
	return out
}

func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}
