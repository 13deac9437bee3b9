package upstream

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"strings"

	"github.com/weirdb/weir/protocol/mywire"
)

// maxExchanges bounds the packets of one authentication.
const maxExchanges = 16

// plugin is the client's side of one authentication plugin.
type plugin struct {
	name  string
	nonce []byte
	first func(h *handshake) ([]byte, error)
	// unasked says that the first answer can go out with the login: it needs
	// nothing but the greeting.
	unasked bool
	// more answers AuthMoreData; a nil answer says nothing. It is nil for a
	// plugin that has no such packets.
	more func(h *handshake, data []byte) ([]byte, error)
	bare bool // what more answers comes without MarkMoreData
	// proves says that the server's verifier of the password is known from it,
	// so that the server can prove its certificate by it.
	proves bool
}

// newPlugin returns the plugin of the name, and whether there is one.
func newPlugin(name string, nonce []byte) (plugin, bool) {
	p := plugin{name: name, nonce: nonce}
	switch name {
	case mywire.PluginNative:
		p.first = (*handshake).native
		p.unasked, p.proves = true, true
	case mywire.PluginSHA2:
		p.unasked = true
		p.first = func(h *handshake) ([]byte, error) { return mywire.SHA2Answer(h.cfg.Password, nonce), nil }
		p.more = (*handshake).sha2More
	case mywire.PluginSHA256:
		p.unasked = true
		p.first = (*handshake).sha256First
		p.more = (*handshake).sha256More
	case mywire.PluginCleartext:
		p.unasked = true
		p.first = (*handshake).cleartext
	case mywire.PluginDialog:
		p.first = (*handshake).cleartext
		p.more = func(h *handshake, _ []byte) ([]byte, error) { return h.cleartext() }
	case mywire.PluginEd25519:
		p.first = (*handshake).ed25519
		p.proves = true
	case mywire.PluginParsec:
		p.first = (*handshake).parsec
		p.more = (*handshake).parsecMore
		p.bare, p.proves = true, true
	default:
		return plugin{name: name}, false
	}
	return p, true
}

// authenticate does what the server asks for until OK.
func (h *handshake) authenticate(context.Context) error {
	switched := false
	for range maxExchanges {
		body, err := h.packet("the login's OK")
		if err != nil {
			return err
		}
		if len(body) == 0 {
			return &mywire.Malformed{Packet: "login reply", Want: "a payload"}
		}
		var answer []byte
		switch body[0] {
		case mywire.MarkOK:
			ok, err := mywire.ParseOK(body, h.out.Capabilities)
			if err != nil {
				return err
			}
			if err := h.proven(ok.Info); err != nil {
				return err
			}
			h.keep(ok)
			return h.r.Discard()
		case mywire.MarkEOF:
			if switched {
				return h.failed(errors.New("server switches plugins twice"))
			}
			switched = true
			answer, err = h.switchPlugin(body)
		case mywire.MarkMoreData:
			answer, err = h.moreData(body)
		default:
			if !h.plugin.bare {
				return &Unexpected{Want: "OK, AuthSwitchRequest or AuthMoreData", Got: body[0]}
			}
			answer, err = h.more(body)
		}
		if err != nil {
			return err
		}
		if err := h.answer(answer); err != nil {
			return err
		}
	}
	return h.failed(errors.New("server does not come to an end"))
}

// answer drops the packet that was dealt with and sends what is not nil.
func (h *handshake) answer(answer []byte) error {
	if err := h.r.Discard(); err != nil || answer == nil {
		return err
	}
	h.w.SetSeq(h.r.Seq())
	if err := h.write(answer); err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	h.r.SetSeq(h.w.Seq())
	return nil
}

func (h *handshake) switchPlugin(body []byte) ([]byte, error) {
	m, err := mywire.ParseAuthSwitch(body)
	if err != nil {
		return nil, err
	}
	p, known := newPlugin(m.Plugin, m.Data)
	h.plugin, h.asked, h.verifier = p, false, nil
	if !known {
		return nil, h.failed(errors.New("server wants an authentication plugin that is not supported"))
	}
	if err := h.provable(); err != nil {
		return nil, err
	}
	answer, err := p.first(h)
	if err != nil {
		return nil, h.failed(err)
	}
	if answer == nil {
		answer = []byte{}
	}
	return answer, nil
}

func (h *handshake) moreData(body []byte) ([]byte, error) {
	data, err := mywire.ParseAuthMoreData(body)
	if err != nil {
		return nil, err
	}
	return h.more(data)
}

func (h *handshake) more(data []byte) ([]byte, error) {
	if h.plugin.more == nil {
		return nil, h.failed(errors.New("server sends data that the plugin does not have"))
	}
	answer, err := h.plugin.more(h, data)
	if err != nil {
		return nil, h.failed(err)
	}
	return answer, nil
}

// private reports whether nobody in between can read the connection.
func (h *handshake) private() bool { return h.out.TLS != nil || h.cfg.Network == "unix" }

// cleartext is the password in clear, where that is allowed.
func (h *handshake) cleartext() ([]byte, error) {
	if !h.private() && !h.cfg.AllowCleartext {
		return nil, errors.New("server asks for the password in clear over a connection in clear")
	}
	return h.passwordText()
}

func (h *handshake) passwordText() ([]byte, error) {
	if strings.IndexByte(h.cfg.Password, 0) >= 0 {
		return nil, errors.New("the password holds a NUL byte")
	}
	return mywire.PasswordText(h.cfg.Password), nil
}

// sha2More is the rest of caching_sha2_password: the server knows the password's
// verifier, or wants the password.
func (h *handshake) sha2More(data []byte) ([]byte, error) {
	switch {
	case len(data) == 1 && data[0] == mywire.SHA2FastOK:
		return nil, nil
	case len(data) == 1 && data[0] == mywire.SHA2FullAuth:
		if h.private() {
			return h.passwordText()
		}
		return h.encrypted(mywire.SHA2RequestKey)
	}
	return h.withKey(data)
}

// sha256First is the first answer of sha256_password.
func (h *handshake) sha256First() ([]byte, error) {
	switch {
	case h.cfg.Password == "":
		return []byte{0}, nil
	case h.private():
		return h.passwordText()
	}
	return h.encrypted(sha256RequestKey)
}

func (h *handshake) sha256More(data []byte) ([]byte, error) { return h.withKey(data) }

// sha256RequestKey asks for the public key in sha256_password.
const sha256RequestKey = 1

// encrypted is the password under the configured key, or a request for the
// server's own if that is allowed, or the password in clear if that is.
func (h *handshake) encrypted(request byte) ([]byte, error) {
	switch {
	case h.cfg.ServerKey != nil:
		if _, err := h.passwordText(); err != nil {
			return nil, err
		}
		return mywire.EncryptPassword(h.cfg.Password, h.plugin.nonce, h.cfg.ServerKey)
	case h.cfg.AskServerKey:
		h.asked = true
		return []byte{request}, nil
	}
	return nil, errors.New("server asks for the password over a connection in clear, and neither its public key nor asking for it is configured")
}

// withKey answers the server's public key.
func (h *handshake) withKey(data []byte) ([]byte, error) {
	if !h.asked {
		return nil, errors.New("server sends data that was not asked for")
	}
	h.asked = false
	key, err := mywire.ParsePublicKey(data)
	if err != nil {
		return nil, err
	}
	if _, err := h.passwordText(); err != nil {
		return nil, err
	}
	return mywire.EncryptPassword(h.cfg.Password, h.plugin.nonce, key)
}

func (h *handshake) native() ([]byte, error) {
	h.verifier = mywire.NativeVerifier(h.cfg.Password)
	return mywire.NativeAnswer(h.cfg.Password, h.plugin.nonce), nil
}

func (h *handshake) ed25519() ([]byte, error) {
	if len(h.plugin.nonce) != mywire.Ed25519NonceLen {
		return nil, &mywire.Malformed{Packet: "client_ed25519", Want: "a nonce of 32 bytes"}
	}
	h.verifier = mywire.Ed25519Verifier(h.cfg.Password)
	return mywire.Ed25519Answer(h.cfg.Password, h.plugin.nonce), nil
}

// parsec asks for the salt, by an empty packet.
func (h *handshake) parsec() ([]byte, error) {
	if len(h.plugin.nonce) != mywire.ParsecNonceLen {
		return nil, &mywire.Malformed{Packet: "parsec", Want: "a nonce of 32 bytes"}
	}
	h.asked = true
	return nil, nil
}

func (h *handshake) parsecMore(data []byte) ([]byte, error) {
	if !h.asked {
		return nil, errors.New("server sends data that was not asked for")
	}
	h.asked = false
	salt, err := mywire.ParseParsecSalt(data)
	if err != nil {
		return nil, err
	}
	answer, verifier, err := mywire.ParsecAnswer(h.cfg.Password, h.plugin.nonce, salt)
	h.verifier = verifier
	return answer, err
}

// provable refuses to answer a server whose certificate is still to be proven,
// in a plugin that cannot prove it.
func (h *handshake) provable() error {
	if !h.unproven || h.plugin.proves {
		return nil
	}
	return &TLSError{Mode: h.cfg.TLS, Problem: fmt.Errorf("certificate of an unknown authority, which %s cannot prove", h.plugin.name)}
}

// proven checks the server's proof, if the certificate needs one.
func (h *handshake) proven(info []byte) error {
	if !h.unproven {
		return nil
	}
	nonce := h.greet.Nonce
	if h.plugin.name == mywire.PluginNative {
		nonce = h.plugin.nonce
	}
	want := mywire.CertificateProof(h.verifier, nonce, h.out.TLS.PeerCertificates[0].Raw)
	if h.verifier == nil || !hmac.Equal(info, want) {
		return &TLSError{Mode: h.cfg.TLS, Problem: errors.New("certificate of an unknown authority, which the server does not prove by the password")}
	}
	return nil
}
