package mariadb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
)

// stepTime bounds one exchange.
const stepTime = 10 * time.Second

// maxFrame is the longest frame; a longer packet goes on in another one.
const maxFrame = 1<<24 - 1

// door is where a session connects, and as whom.
type door struct {
	address                  string
	user, password, database string
	tls                      bool
}

// client is one connection, whose packets are read and written as they are.
type client struct {
	conn     *upstream.Conn
	net      net.Conn
	seq      byte
	door     door
	prepared []mywire.Prepared
	columns  []definition // of the last execution with a cursor
	isOpen   bool
}

var capabilityNames = map[string]mywire.Capabilities{
	"session_track": mywire.CapSessionTrack, "deprecate_eof": mywire.CapDeprecateEOF, "ignore_space": mywire.CapIgnoreSpace,
	"found_rows": mywire.CapFoundRows, "multi_statements": mywire.CapMultiStatements, "local_files": mywire.CapLocalFiles,
	"extended_metadata": mywire.CapExtendedMetadata, "interactive": mywire.CapInteractive, "odbc": mywire.CapODBC,
}

func dial(ctx context.Context, d door, t *testCase) (*client, error) {
	cfg := upstream.Config{Network: "tcp", Address: d.address, TLS: upstream.Disable, User: d.user, Password: d.password, Database: d.database,
		ConnectTimeout: stepTime, Collation: byte(t.Conn.Charset), Capabilities: mywire.CapLocalFiles}
	if d.tls {
		cfg.TLS = upstream.Require
	}
	if t.Conn.NoDB {
		cfg.Database = ""
	}
	if t.Mode == "multi-statement" {
		cfg.Capabilities |= mywire.CapMultiStatements
	}
	for _, name := range t.Conn.Caps {
		c, ok := capabilityNames[name]
		if !ok {
			return nil, fmt.Errorf("unknown capability %q", name)
		}
		cfg.Capabilities |= c
	}
	c, err := upstream.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &client{conn: c, net: c.Net, door: d}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// send begins a command.
func (c *client) send(payload []byte) error {
	c.seq = 0
	return c.write(payload)
}

// write sends a packet that goes on in the current exchange.
func (c *client) write(payload []byte) error {
	_ = c.net.SetWriteDeadline(time.Now().Add(stepTime))
	for {
		n := min(len(payload), maxFrame)
		frame := append([]byte{byte(n), byte(n >> 8), byte(n >> 16), c.seq}, payload[:n]...)
		c.seq++
		if _, err := c.net.Write(frame); err != nil {
			return err
		}
		if payload = payload[n:]; n < maxFrame {
			return nil
		}
	}
}

// read reads a packet.
func (c *client) read() ([]byte, error) {
	_ = c.net.SetReadDeadline(time.Now().Add(stepTime))
	var payload []byte
	for {
		var h [4]byte
		if _, err := io.ReadFull(c.net, h[:]); err != nil {
			return nil, err
		}
		n := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
		c.seq = h[3] + 1
		at := len(payload)
		payload = append(payload, make([]byte, n)...)
		if _, err := io.ReadFull(c.net, payload[at:]); err != nil {
			return nil, err
		}
		if n < maxFrame {
			return payload, nil
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// execute is a COM_STMT_EXECUTE. Whole numbers are sent as such, long data as
// blobs that came before, all else as text.
func execute(id uint32, params []any, long map[int]string, cursor bool) []byte {
	out := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtExecute)}, id)
	flags := byte(0)
	if cursor {
		flags = mywire.CursorReadOnly
	}
	out = binary.LittleEndian.AppendUint32(append(out, flags), 1)
	if len(params) == 0 {
		return out
	}
	nulls := make([]byte, (len(params)+7)/8)
	var types, values []byte
	const typeLongLong, typeDouble, typeNull, typeBlob, typeString = 8, 5, 6, 252, 253
	for i, p := range params {
		if _, sent := long[i]; sent {
			types = append(types, typeBlob, 0)
			continue
		}
		switch p := p.(type) {
		case nil:
			nulls[i/8] |= 1 << (i % 8)
			types = append(types, typeNull, 0)
		case int:
			types = append(types, typeLongLong, 0)
			values = binary.LittleEndian.AppendUint64(values, uint64(p))
		case float64:
			types = append(types, typeDouble, 0)
			values = binary.LittleEndian.AppendUint64(values, math.Float64bits(p))
		case bool:
			n := uint64(0)
			if p {
				n = 1
			}
			types = append(types, typeLongLong, 0)
			values = binary.LittleEndian.AppendUint64(values, n)
		default:
			types = append(types, typeString, 0)
			values = mywire.AppendLenencString(values, fmt.Append(nil, p))
		}
	}
	out = append(append(out, nulls...), 1)
	return append(append(out, types...), values...)
}

// changeUser logs in anew on the connection, and gives the last packet.
func (c *client) changeUser(database string) ([]byte, error) {
	m := mywire.ChangeUser{User: c.door.user, Database: database, Collation: upstream.CollationUTF8MB4, AuthPlugin: mywire.PluginNative}
	if err := c.send(mywire.AppendChangeUser(nil, &m, c.conn.Capabilities)); err != nil {
		return nil, err
	}
	for {
		p, err := c.read()
		if err != nil || len(p) == 0 {
			return p, err
		}
		var reply []byte
		switch p[0] {
		case mywire.MarkOK, markError:
			return p, nil
		case markEOF:
			s, err := mywire.ParseAuthSwitch(p)
			if err != nil {
				return nil, err
			}
			nonce := s.Data[:min(len(s.Data), mywire.NonceLen)]
			switch string(s.Plugin) {
			case mywire.PluginNative:
				reply = mywire.NativeAnswer(c.door.password, nonce)
			case "mysql_clear_password":
				reply = mywire.PasswordText(c.door.password)
			default:
				reply = mywire.SHA2Answer(c.door.password, nonce)
			}
		default: // more data of caching_sha2_password
			if len(p) > 1 && p[1] == mywire.SHA2FastOK {
				continue
			}
			reply = mywire.PasswordText(c.door.password)
		}
		if err := c.write(reply); err != nil {
			return nil, err
		}
	}
}
