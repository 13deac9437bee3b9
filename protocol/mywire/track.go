package mywire

// Tracked is a kind of session state change.
type Tracked byte

// Kinds of session state changes (MySQL: enum_session_state_type; MariaDB has
// the first six).
const (
	TrackVariable        Tracked = 0
	TrackSchema          Tracked = 1
	TrackState           Tracked = 2
	TrackGTIDs           Tracked = 3
	TrackCharacteristics Tracked = 4
	TrackTransaction     Tracked = 5
)

// SessionChange is one change of session state that the server reports.
type SessionChange struct {
	Kind  Tracked
	Name  []byte // of the variable, for TrackVariable
	Value []byte // new value, schema, transaction state …
}

// SessionChanges are the session state changes of an OK packet.
type SessionChanges struct{ b []byte }

// NewSessionChanges returns changes as an OK packet carries them, without their
// length, such as those made by AppendSessionChange.
func NewSessionChanges(encoded []byte) SessionChanges { return SessionChanges{b: encoded} }

// Empty reports whether there are none.
func (s SessionChanges) Empty() bool { return len(s.b) == 0 }

// Each calls f with each change, in order. What f gets points into the packet.
// It stops at a fault, which it returns (*Malformed).
func (s SessionChanges) Each(f func(SessionChange)) error {
	c := cursor{b: s.b, packet: "session state changes"}
	for c.left() > 0 {
		kind := Tracked(c.byte("a kind of change"))
		in := cursor{b: c.text("a change within the packet"), packet: c.packet}
		if c.err != nil {
			break
		}
		if err := in.change(kind, f); err != nil {
			return err
		}
	}
	return c.fault()
}

// change decodes the data of one entry. MariaDB may put several variables into
// one.
func (c *cursor) change(kind Tracked, f func(SessionChange)) error {
	switch kind {
	case TrackVariable:
		for {
			ch := SessionChange{Kind: kind, Name: c.text("a variable's name"), Value: c.text("a variable's value")}
			if c.err != nil {
				return c.err
			}
			if f(ch); c.left() == 0 {
				return nil
			}
		}
	case TrackGTIDs:
		c.byte("an encoding")
		fallthrough
	case TrackSchema, TrackState, TrackCharacteristics, TrackTransaction:
		ch := SessionChange{Kind: kind, Value: c.text("a value")}
		if err := c.end(); err != nil {
			return err
		}
		f(ch)
	default:
		f(SessionChange{Kind: kind, Value: c.rest()})
	}
	return nil
}

// AppendSessionChange appends one change.
func AppendSessionChange(dst []byte, ch SessionChange) []byte {
	var data []byte
	switch ch.Kind {
	case TrackVariable:
		data = AppendLenencString(AppendLenencString(nil, ch.Name), ch.Value)
	case TrackGTIDs:
		data = AppendLenencString([]byte{0}, ch.Value)
	default:
		data = AppendLenencString(nil, ch.Value)
	}
	return AppendLenencString(append(dst, byte(ch.Kind)), data)
}

// Bytes returns the changes as an OK packet carries them, without their length.
func (s SessionChanges) Bytes() []byte { return s.b }
