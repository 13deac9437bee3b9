package mywire

import (
	"bytes"
	"encoding/binary"
)

// Names of authentication plugins.
const (
	PluginNative    = "mysql_native_password"
	PluginSHA2      = "caching_sha2_password"
	PluginSHA256    = "sha256_password"
	PluginCleartext = "mysql_clear_password"
	PluginOld       = "mysql_old_password"
	PluginEd25519   = "client_ed25519"
	PluginParsec    = "parsec"
	PluginDialog    = "dialog"
	PluginOpenID    = "authentication_openid_connect_client"
)

// NonceLen is the length of the nonce in a greeting and in the exchanges of
// the SHA plugins.
const NonceLen = 20

const (
	protocolVersion = 10
	maxAttributes   = 64 << 10 // bytes of connection attributes, as MySQL has it
)

// Greeting is the server's first packet (Protocol::HandshakeV10).
type Greeting struct {
	ServerVersion string
	ConnectionID  uint32
	Nonce         []byte // 20 bytes as a rule, without the closing NUL
	Capabilities  Capabilities
	Collation     byte // the server's default, its low byte
	Status        Status
	AuthPlugin    string // empty without CapPluginAuth
}

// MariaDB reports whether the server is one, by its version: the replication
// prefix 5.5.5- or its name.
func (g *Greeting) MariaDB() bool { return IsMariaDB(g.ServerVersion) }

// IsMariaDB reports whether a server's version string is MariaDB's.
func IsMariaDB(version string) bool {
	return bytes.Contains(bytes.ToLower([]byte(version)), []byte("mariadb"))
}

// ParseGreeting decodes the server's first packet; it copies what it returns.
// In place of a greeting there may be an ERR packet (MarkErr), which has no
// SQLSTATE.
func ParseGreeting(body []byte) (Greeting, error) {
	c := cursor{b: body, packet: "HandshakeV10"}
	c.is(protocolVersion, "protocol version 10")
	g := Greeting{ServerVersion: string(c.cstring("a terminated server version"))}
	g.ConnectionID = c.uint32("a connection ID")
	first := c.bytes(8, "a nonce's first part")
	c.is(0, "a filler of 0")
	g.Capabilities = Capabilities(c.uint16("capability flags"))
	if c.left() == 0 {
		g.Nonce = bytes.Clone(first)
		return g, c.fault()
	}
	g.Collation = c.byte("a collation")
	g.Status = Status(c.uint16("status flags"))
	g.Capabilities |= Capabilities(c.uint16("capability flags")) << 16
	n := int(c.byte("the nonce's length"))
	c.bytes(6, "a filler")
	extended := c.uint32("extended capability flags")
	if !g.Capabilities.Has(CapLongPassword) {
		g.Capabilities |= Capabilities(extended) << 32
	}
	g.Nonce = bytes.Clone(first)
	if g.Capabilities.Has(CapSecureConnection) || g.Capabilities.Has(CapPluginAuth) {
		second := c.bytes(max(13, n-8), "a nonce's second part")
		// The last byte is a NUL that is no part of the nonce.
		if len(second) > 0 && second[len(second)-1] == 0 {
			second = second[:len(second)-1]
		}
		g.Nonce = append(g.Nonce, second...)
	}
	if g.Capabilities.Has(CapPluginAuth) {
		g.AuthPlugin = string(c.cstringOrRest("a plugin name"))
	}
	return g, c.end()
}

// AppendGreeting appends the payload of a greeting. The nonce is of 20 bytes,
// none of them 0.
func AppendGreeting(dst []byte, g *Greeting) []byte {
	if len(g.Nonce) != NonceLen {
		panic("mywire: a greeting's nonce has 20 bytes")
	}
	dst = append(dst, protocolVersion)
	dst = appendText(dst, g.ServerVersion)
	dst = binary.LittleEndian.AppendUint32(dst, g.ConnectionID)
	dst = append(dst, g.Nonce[:8]...)
	dst = append(dst, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(g.Capabilities))
	dst = append(dst, g.Collation)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(g.Status))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(g.Capabilities>>16))
	dst = append(dst, NonceLen+1, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(g.Capabilities>>32))
	dst = append(dst, g.Nonce[8:]...)
	dst = append(dst, 0)
	if g.Capabilities.Has(CapPluginAuth) {
		dst = appendText(dst, g.AuthPlugin)
	}
	return dst
}

// Attribute is a connection attribute, such as program_name.
type Attribute struct{ Name, Value string }

// Login is the client's first packet (Protocol::HandshakeResponse41), or the
// SSLRequest that stands before it.
type Login struct {
	TLSRequest   bool // SSLRequest: only the next three fields are there
	Capabilities Capabilities
	MaxPacket    uint32 // longest packet that the client takes, in bytes
	Collation    byte   // the connection's, its low byte

	User         string
	AuthResponse []byte // the plugin's first answer
	Database     string // empty without CapConnectWithDB
	AuthPlugin   string
	Attributes   []Attribute
	ZstdLevel    int // with CapZstd
}

// loginFixed is what a login and an SSLRequest have in common.
const loginFixed = 32

// ParseLogin decodes the client's first packet, under the flags that were
// offered to it: what it asks for beyond them is ignored, as servers do, except
// CapProtocol41, which it has to have. It copies what it returns.
func ParseLogin(body []byte, offered Capabilities) (Login, error) {
	c := cursor{b: body, packet: "HandshakeResponse41"}
	caps := Capabilities(c.uint32("capability flags"))
	l := Login{MaxPacket: c.uint32("a packet size"), Collation: c.byte("a collation")}
	c.bytes(19, "a filler")
	extended := c.uint32("extended capability flags")
	if !caps.Has(CapLongPassword) {
		caps |= Capabilities(extended) << 32
	}
	if c.err == nil && !caps.Has(CapProtocol41) {
		c.off = 0
		c.fail("CLIENT_PROTOCOL_41")
	}
	l.Capabilities = caps & (offered | CapLongPassword)
	if len(body) == loginFixed && caps.Has(CapTLS) {
		l.TLSRequest = true
		return l, c.end()
	}
	l.User = string(c.cstring("a terminated user name"))
	l.AuthResponse = bytes.Clone(c.authResponse(caps, caps.Has(CapLenencAuth)))
	if caps.Has(CapConnectWithDB) {
		l.Database = string(c.cstring("a terminated database name"))
	}
	if caps.Has(CapPluginAuth) {
		l.AuthPlugin = string(c.cstringOrRest("a plugin name"))
	}
	if caps.Has(CapConnectAttrs) {
		l.Attributes = c.attributes()
	}
	if caps.Has(CapZstd) && c.left() > 0 {
		l.ZstdLevel = int(c.byte("a compression level"))
	}
	return l, c.fault()
}

func (c *cursor) authResponse(caps Capabilities, lenenc bool) []byte {
	switch {
	case lenenc:
		return c.text("an authentication response within the packet")
	case caps.Has(CapSecureConnection):
		return c.bytes(int(c.byte("a length")), "an authentication response within the packet")
	}
	return c.cstring("a terminated authentication response")
}

func (c *cursor) attributes() []Attribute {
	if c.left() == 0 {
		return nil
	}
	at := c.off
	all := c.text("connection attributes within the packet")
	if len(all) > maxAttributes {
		c.off = at
		c.fail("connection attributes of up to 64 KiB")
		return nil
	}
	in := cursor{b: all, packet: c.packet}
	var list []Attribute
	for in.left() > 0 {
		name, value := in.text("an attribute's name"), in.text("an attribute's value")
		list = append(list, Attribute{Name: string(name), Value: string(value)})
	}
	if in.err != nil {
		c.off = at
		c.fail("names and values of connection attributes")
		return nil
	}
	return list
}

// AppendLogin appends the payload of a login or, with TLSRequest, an
// SSLRequest. Name, database and plugin end at a NUL.
func AppendLogin(dst []byte, l *Login) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.Capabilities))
	dst = binary.LittleEndian.AppendUint32(dst, l.MaxPacket)
	dst = append(dst, l.Collation)
	dst = append(dst, make([]byte, 19)...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.Capabilities>>32))
	if l.TLSRequest {
		return dst
	}
	dst = appendText(dst, l.User)
	switch {
	case l.Capabilities.Has(CapLenencAuth):
		dst = AppendLenencString(dst, l.AuthResponse)
	case l.Capabilities.Has(CapSecureConnection):
		n := min(len(l.AuthResponse), 255)
		dst = append(append(dst, byte(n)), l.AuthResponse[:n]...)
	default:
		dst = appendText(dst, string(l.AuthResponse))
	}
	if l.Capabilities.Has(CapConnectWithDB) {
		dst = appendText(dst, l.Database)
	}
	if l.Capabilities.Has(CapPluginAuth) {
		dst = appendText(dst, l.AuthPlugin)
	}
	if l.Capabilities.Has(CapConnectAttrs) {
		dst = appendAttributes(dst, l.Attributes)
	}
	if l.Capabilities.Has(CapZstd) {
		dst = append(dst, byte(l.ZstdLevel))
	}
	return dst
}

func appendAttributes(dst []byte, list []Attribute) []byte {
	n := 0
	for _, a := range list {
		n += lenencSize(len(a.Name)) + len(a.Name) + lenencSize(len(a.Value)) + len(a.Value)
	}
	dst = AppendLenencInt(dst, uint64(n))
	for _, a := range list {
		dst = appendLenencText(dst, a.Name)
		dst = appendLenencText(dst, a.Value)
	}
	return dst
}

// ChangeUser is COM_CHANGE_USER.
type ChangeUser struct {
	User         string
	AuthResponse []byte
	Database     string
	Collation    uint16 // 0 if the client sends none
	AuthPlugin   string
	Attributes   []Attribute
}

// ParseChangeUser decodes COM_CHANGE_USER; it copies what it returns.
func ParseChangeUser(body []byte, caps Capabilities) (ChangeUser, error) {
	c := command(body, ComChangeUser)
	m := ChangeUser{User: string(c.cstring("a terminated user name"))}
	m.AuthResponse = bytes.Clone(c.authResponse(caps, false))
	m.Database = string(c.cstring("a terminated database name"))
	if c.left() >= 2 {
		m.Collation = c.uint16("a collation")
	}
	if caps.Has(CapPluginAuth) && c.left() > 0 {
		m.AuthPlugin = string(c.cstringOrRest("a plugin name"))
	}
	if caps.Has(CapConnectAttrs) {
		m.Attributes = c.attributes()
	}
	return m, c.fault()
}

// AppendChangeUser appends the payload of COM_CHANGE_USER.
func AppendChangeUser(dst []byte, m *ChangeUser, caps Capabilities) []byte {
	dst = append(dst, byte(ComChangeUser))
	dst = appendText(dst, m.User)
	if caps.Has(CapSecureConnection) {
		n := min(len(m.AuthResponse), 255)
		dst = append(append(dst, byte(n)), m.AuthResponse[:n]...)
	} else {
		dst = appendText(dst, string(m.AuthResponse))
	}
	dst = appendText(dst, m.Database)
	dst = binary.LittleEndian.AppendUint16(dst, m.Collation)
	if caps.Has(CapPluginAuth) {
		dst = appendText(dst, m.AuthPlugin)
	}
	if caps.Has(CapConnectAttrs) {
		dst = appendAttributes(dst, m.Attributes)
	}
	return dst
}

// AuthSwitch is AuthSwitchRequest: go on with another plugin.
type AuthSwitch struct {
	Plugin string
	Data   []byte // the plugin's, as a rule a nonce
}

// endsWithNUL reports whether a plugin's nonce is followed by a NUL that is no
// part of it. Other plugins' data is what it is.
func (m *AuthSwitch) endsWithNUL() bool {
	return m.Plugin == PluginNative || m.Plugin == PluginSHA2 || m.Plugin == PluginSHA256
}

// ParseAuthSwitch decodes AuthSwitchRequest, whose first byte is MarkEOF; it
// copies what it returns. A packet of that byte alone asks for PluginOld.
func ParseAuthSwitch(body []byte) (AuthSwitch, error) {
	c := cursor{b: body, packet: "AuthSwitchRequest"}
	c.is(MarkEOF, "0xfe")
	if c.err == nil && c.left() == 0 {
		return AuthSwitch{Plugin: PluginOld}, nil
	}
	m := AuthSwitch{Plugin: string(c.cstring("a terminated plugin name"))}
	m.Data = bytes.Clone(c.rest())
	if n := len(m.Data); m.endsWithNUL() && n == NonceLen+1 && m.Data[n-1] == 0 {
		m.Data = m.Data[:n-1]
	}
	return m, c.fault()
}

// AppendAuthSwitch appends the payload of AuthSwitchRequest.
func AppendAuthSwitch(dst []byte, m *AuthSwitch) []byte {
	dst = append(dst, MarkEOF)
	dst = appendText(dst, m.Plugin)
	dst = append(dst, m.Data...)
	if m.endsWithNUL() && len(m.Data) == NonceLen {
		dst = append(dst, 0)
	}
	return dst
}

// ParseAuthMoreData returns the data of AuthMoreData, whose first byte is
// MarkMoreData.
func ParseAuthMoreData(body []byte) (data []byte, err error) {
	c := cursor{b: body, packet: "AuthMoreData"}
	c.is(MarkMoreData, "0x01")
	data = c.rest()
	return data, c.fault()
}

// AppendAuthMoreData appends the payload of AuthMoreData.
func AppendAuthMoreData(dst, data []byte) []byte {
	return append(append(dst, MarkMoreData), data...)
}
