package auth

import (
	"context"
	"errors"
	"fmt"
)

// SCRAM is one login by SCRAM-SHA-256 or SCRAM-SHA-256-PLUS: First, then
// Final, each once. It belongs to one goroutine.
type SCRAM struct {
	auth      *Authenticator
	name      string // as the startup message gave it
	method    string
	candidate candidate
	exchange  exchange
}

// BeginSCRAM starts a login by a mechanism of cb.Mechanisms; cb is the binding
// that this connection offered. It succeeds for users that do not exist or are
// disabled. A mechanism that was not offered is a *Failure; any other error
// means that users cannot be looked up now.
func (a *Authenticator) BeginSCRAM(ctx context.Context, user, mechanism string, cb ChannelBinding) (*SCRAM, error) {
	s := &SCRAM{auth: a, name: user, method: MethodSCRAM}
	switch {
	case mechanism == SCRAMSHA256:
	case mechanism == SCRAMSHA256Plus && cb.Available():
		s.method = MethodSCRAMPlus
	default:
		return nil, a.fail(ctx, user, MethodSCRAM, ReasonMechanism, fmt.Errorf("mechanism %.32q was not offered", mechanism))
	}
	c, err := a.candidate(ctx, user)
	if err != nil {
		return nil, err
	}
	s.candidate = c
	s.exchange = exchange{
		newHash:     a.newHash,
		verifier:    c.verifier,
		others:      c.others,
		binding:     cb,
		plus:        s.method == MethodSCRAMPlus,
		serverNonce: newServerNonce(),
	}
	return s, nil
}

// First takes the client-first-message (at most 1024 bytes, not kept) and
// returns the server-first-message, or a *Failure.
func (s *SCRAM) First(ctx context.Context, clientFirst []byte) ([]byte, error) {
	reply, err := s.exchange.first(clientFirst)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return reply, nil
}

// Final takes the client-final-message and returns the server-final-message
// and who has logged in, or a *Failure. Any other error means that the user
// could not be looked up again.
func (s *SCRAM) Final(ctx context.Context, clientFinal []byte) ([]byte, *Identity, error) {
	reply, err := s.exchange.final(clientFinal)
	if err == nil && s.candidate.doomed != "" {
		err = errProof
	}
	if err != nil {
		return nil, nil, s.fail(ctx, err)
	}
	s.candidate.used = s.exchange.used
	identity, reason, err := s.auth.confirm(ctx, s.candidate, s.method)
	if reason != "" {
		return nil, nil, s.auth.fail(ctx, s.name, s.method, reason, err)
	}
	if err != nil {
		return nil, nil, err
	}
	return reply, s.auth.succeed(ctx, s.name, identity), nil
}

// fail sorts an error of the exchange. A wrong proof for somebody who could
// not have given a right one is named by that.
func (s *SCRAM) fail(ctx context.Context, err error) error {
	reason := ReasonMalformed
	switch {
	case errors.Is(err, errProof) && s.candidate.doomed != "":
		reason, err = s.candidate.doomed, s.candidate.cause
	case errors.Is(err, errProof):
		reason = ReasonWrongPassword
	case errors.Is(err, errBinding):
		reason = ReasonChannelBinding
	}
	return s.auth.fail(ctx, s.name, s.method, reason, err)
}
