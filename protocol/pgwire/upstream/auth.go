package upstream

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/weirdb/weir/protocol/pgwire"
)

// Bounds of what a server may send before it is trusted.
const (
	maxHandshakeBody = 64 << 10
	maxNotices       = 16
	maxParams        = 1000
)

// Methods of authentication, for logs and errors.
const (
	methodNone      = "trust or certificate"
	methodCleartext = "password"
	methodMD5       = "md5"
	methodSCRAM     = "SCRAM-SHA-256"
	methodPlus      = "SCRAM-SHA-256-PLUS"
)

// versionRefused wraps an error by which an old server or a pooler answers a
// startup message of a version that it does not know.
type versionRefused struct{ err error }

func (e *versionRefused) Error() string { return e.err.Error() }
func (e *versionRefused) Unwrap() error { return e.err }

// authenticate does what the server asks for until AuthenticationOk.
func (h *handshake) authenticate(context.Context) error {
	asked, err := h.negotiation()
	if err != nil {
		return err
	}
	switch asked.Code {
	case pgwire.AuthOK:
		h.out.Method = methodNone
		return h.bindingMet()
	case pgwire.AuthCleartext:
		h.out.Method = methodCleartext
		err = h.cleartext()
	case pgwire.AuthMD5:
		h.out.Method = methodMD5
		err = h.md5(asked.Data)
	case pgwire.AuthSASL:
		err = h.sasl(asked.Data)
	default:
		err = h.failed(fmt.Errorf("server asks for authentication of kind %d, which is not supported", asked.Code))
	}
	if err != nil {
		return err
	}
	last, err := h.authMessage("AuthenticationOk")
	if err != nil {
		return err
	}
	if last.Code != pgwire.AuthOK {
		return h.failed(fmt.Errorf("server asks for more, kind %d", last.Code))
	}
	return nil
}

// negotiation reads up to the first Authentication message, which the server's
// word on the protocol version may precede.
func (h *handshake) negotiation() (pgwire.AuthenticationMsg, error) {
	hd, err := h.r.Peek()
	if err != nil {
		return pgwire.AuthenticationMsg{}, fmt.Errorf("start up: %w", err)
	}
	if hd.Type == pgwire.MsgNegotiateVersion {
		if err := h.settle(); err != nil {
			return pgwire.AuthenticationMsg{}, err
		}
	}
	m, err := h.authMessage("Authentication")
	var se *ServerError
	if errors.As(err, &se) && h.out.Version > pgwire.Version30 && hd.Type == pgwire.MsgErrorResponse &&
		(se.Notice.Code == pgwire.StateFeatureNotSupported || se.Notice.Code == pgwire.StateProtocolViolation) {
		err = &versionRefused{err}
	}
	return m, err
}

// settle takes the version that the server offers instead of the one asked for.
func (h *handshake) settle() error {
	body, err := h.body()
	if err != nil {
		return err
	}
	n, err := pgwire.ParseNegotiation(body)
	if err != nil {
		return err
	}
	if n.Version >= h.out.Version && len(n.Unknown) == 0 || n.Version > h.out.Version {
		return fmt.Errorf("negotiate protocol: server answers %s with %s", h.out.Version, n.Version)
	}
	if n.Version != pgwire.Version30 && n.Version != pgwire.Version32 {
		return fmt.Errorf("negotiate protocol: server offers %s, which does not exist", n.Version)
	}
	for _, o := range n.Unknown {
		if !slices.ContainsFunc(h.cfg.Params, func(p pgwire.Param) bool { return p.Name == o }) {
			return fmt.Errorf("negotiate protocol: server refuses option %q, which was not asked for", o)
		}
	}
	h.out.Version = n.Version
	return h.r.Discard()
}

// bindingMet checks a login that needed no exchange against the wish for one.
func (h *handshake) bindingMet() error {
	if h.cfg.ChannelBinding == BindingRequire && h.out.Method != methodPlus {
		return h.failed(errors.New("channel binding is required, and the server did not ask for it"))
	}
	return nil
}

func (h *handshake) cleartext() error {
	if err := h.bindingMet(); err != nil {
		return err
	}
	if h.out.TLS == nil && h.cfg.Network != "unix" && !h.cfg.AllowCleartext {
		return h.failed(errors.New("server asks for the password in clear over a connection in clear"))
	}
	return h.password(h.cfg.Password)
}

func (h *handshake) md5(salt []byte) error {
	if err := h.bindingMet(); err != nil {
		return err
	}
	if len(salt) != 4 {
		return h.failed(&pgwire.Malformed{Message: "AuthenticationMD5Password", Offset: 4, Want: "a salt of 4 bytes"})
	}
	inner := md5.Sum([]byte(h.cfg.Password + h.cfg.User))
	outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt...))
	return h.password("md5" + hex.EncodeToString(outer[:]))
}

func (h *handshake) password(answer string) error {
	if h.cfg.Password == "" {
		return h.failed(errors.New("server asks for a password, and none is configured"))
	}
	if strings.IndexByte(answer, 0) >= 0 {
		return h.failed(errors.New("the password holds a NUL byte"))
	}
	return h.send(&pgproto3.PasswordMessage{Password: answer})
}

// sasl picks a mechanism and runs SCRAM (RFC 5802, RFC 7677).
func (h *handshake) sasl(data []byte) error {
	names, err := pgwire.SASLMechanisms(data)
	if err != nil {
		return err
	}
	s, err := h.pick(names)
	if err != nil {
		return h.failed(err)
	}
	h.out.Method = s.mechanism
	if h.cfg.Password == "" {
		return h.failed(errors.New("server asks for a password, and none is configured"))
	}
	err = h.send(&pgproto3.SASLInitialResponse{AuthMechanism: s.mechanism, Data: s.clientFirst()})
	if err != nil {
		return err
	}
	first, err := h.authMessage("AuthenticationSASLContinue")
	if err != nil {
		return err
	}
	if first.Code != pgwire.AuthSASLContinue {
		return h.failed(fmt.Errorf("server sent kind %d instead of AuthenticationSASLContinue", first.Code))
	}
	answer, err := s.clientFinal(first.Data, h.cfg.Password)
	if err != nil {
		return h.failed(err)
	}
	if err := h.send(&pgproto3.SASLResponse{Data: answer}); err != nil {
		return err
	}
	last, err := h.authMessage("AuthenticationSASLFinal")
	if err != nil {
		return err
	}
	if last.Code != pgwire.AuthSASLFinal {
		return h.failed(fmt.Errorf("server sent kind %d instead of its proof", last.Code))
	}
	if err := s.verify(last.Data); err != nil {
		return h.failed(err)
	}
	return nil
}

// pick chooses the strongest mechanism that both sides can do.
func (h *handshake) pick(offered []string) (*scram, error) {
	var binding []byte
	able := h.out.TLS != nil && h.cfg.ChannelBinding != BindingDisable
	if able {
		binding = endPoint(h.out.TLS.PeerCertificates)
		able = binding != nil
	}
	plus := slices.Contains(offered, methodPlus)
	if plus && able {
		return newSCRAM(methodPlus, "p=tls-server-end-point,,", binding)
	}
	if h.cfg.ChannelBinding == BindingRequire {
		return nil, errors.New("channel binding is required, and the server or its certificate cannot do it")
	}
	if !slices.Contains(offered, methodSCRAM) {
		return nil, errors.New("server offers none of the known SASL mechanisms")
	}
	if able {
		// Tells a server that did offer PLUS that somebody took it away.
		return newSCRAM(methodSCRAM, "y,,", nil)
	}
	return newSCRAM(methodSCRAM, "n,,", nil)
}

// ready reads on to ReadyForQuery.
func (h *handshake) ready(context.Context) error {
	h.out.Params = make(map[string]string)
	for {
		hd, err := h.next("ParameterStatus, BackendKeyData or ReadyForQuery")
		if err != nil {
			return err
		}
		body, err := h.body()
		if err != nil {
			return err
		}
		switch hd.Type {
		case pgwire.MsgParameterStatus:
			err = h.parameter(body)
		case pgwire.MsgBackendKeyData:
			err = h.key(body)
		case pgwire.MsgReadyForQuery:
			if _, err := pgwire.ParseReadyForQuery(body); err != nil {
				return err
			}
			return h.r.Discard()
		default:
			return &Unexpected{Want: "ParameterStatus, BackendKeyData or ReadyForQuery", Got: hd.Type}
		}
		if err != nil {
			return err
		}
		if err := h.r.Discard(); err != nil {
			return err
		}
	}
}

func (h *handshake) parameter(body []byte) error {
	name, value, err := pgwire.ParseParameterStatus(body)
	if err != nil {
		return err
	}
	if len(h.out.Params) >= maxParams {
		return errors.New("start up: server reports too many parameters")
	}
	h.out.Params[string(name)] = string(value)
	return nil
}

func (h *handshake) key(body []byte) error {
	k, err := pgwire.ParseBackendKeyData(body)
	if err != nil {
		return err
	}
	if h.out.Version < pgwire.Version32 && len(k.Key) != 4 {
		return &pgwire.Malformed{Message: "BackendKeyData", Offset: 4, Want: "a key of 4 bytes in protocol 3.0"}
	}
	h.out.Key = pgwire.BackendKey{PID: k.PID, Key: slices.Clone(k.Key)}
	return nil
}

// send writes one message and flushes.
func (h *handshake) send(m interface{ Encode([]byte) ([]byte, error) }) error {
	b, err := m.Encode(nil)
	if err != nil {
		return h.failed(err)
	}
	if err := h.w.Raw(b); err != nil {
		return err
	}
	return h.w.Flush()
}

// authMessage reads an Authentication message, whose data it copies.
func (h *handshake) authMessage(want string) (pgwire.AuthenticationMsg, error) {
	hd, err := h.next(want)
	if err != nil {
		return pgwire.AuthenticationMsg{}, err
	}
	if hd.Type != pgwire.MsgAuthentication {
		return pgwire.AuthenticationMsg{}, &Unexpected{Want: want, Got: hd.Type}
	}
	body, err := h.body()
	if err != nil {
		return pgwire.AuthenticationMsg{}, err
	}
	m, err := pgwire.ParseAuthentication(body)
	if err != nil {
		return m, err
	}
	m.Data = slices.Clone(m.Data)
	return m, h.r.Discard()
}

// next returns the next header that is neither a notice, which it keeps, nor an
// error, which it returns.
func (h *handshake) next(want string) (pgwire.Header, error) {
	for {
		hd, err := h.r.Peek()
		if err != nil {
			return hd, fmt.Errorf("wait for %s: %w", want, err)
		}
		if hd.Type != pgwire.MsgErrorResponse && hd.Type != pgwire.MsgNoticeResponse {
			return hd, nil
		}
		body, err := h.body()
		if err != nil {
			return hd, err
		}
		v, err := pgwire.ParseNotice(body)
		if err != nil {
			return hd, err
		}
		if hd.Type == pgwire.MsgErrorResponse {
			return hd, h.refused(v.Notice())
		}
		if len(h.out.Notices) < maxNotices {
			h.out.Notices = append(h.out.Notices, v.Notice())
		}
		if err := h.r.Discard(); err != nil {
			return hd, err
		}
	}
}

func (h *handshake) body() ([]byte, error) {
	body, err := h.r.Body(maxHandshakeBody)
	if err != nil {
		return nil, fmt.Errorf("start up: %w", err)
	}
	return body, nil
}

// refused turns the server's error into the type that tells a login from the
// rest: class 28 is invalid authorization.
func (h *handshake) refused(n pgwire.Notice) error {
	if strings.HasPrefix(n.Code, "28") {
		return &AuthError{Method: h.out.Method, State: n.Code, Message: n.Message, Received: true}
	}
	return &ServerError{Notice: n}
}

func (h *handshake) failed(err error) error {
	return &AuthError{Method: h.out.Method, Problem: err}
}
