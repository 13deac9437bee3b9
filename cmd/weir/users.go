package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/store"
)

// watchUsers follows changes of users, whichever process makes them: it
// records each, and ends the sessions of whoever changed, within a second.
func (r *daemon) watchUsers() {
	ctx, stop := context.WithCancel(context.Background())
	r.stopWatch = stop
	r.wg.Add(1)
	go func() { // ends by stopWatch
		defer r.wg.Done()
		for ctx.Err() == nil {
			r.recheck(ctx)
			err := r.store.Watch(ctx, r.recorded(), func(c store.Change) {
				r.recordChange(c)
				r.userChanged(ctx, c)
			})
			if ctx.Err() == nil {
				r.log.Warn("changes of users are not seen; trying again", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
	}()
}

// recordedFile holds the number of the newest change that is in the journal.
// Commands change users without the journal, which belongs to this process.
func (r *daemon) recordedFile() string { return filepath.Join(r.config.State, "recorded-changes") }

func (r *daemon) recorded() int64 {
	text, err := os.ReadFile(r.recordedFile())
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // recorded once more rather than never
	}
	return n
}

func (r *daemon) recordChange(c store.Change) {
	r.record(&audit.Event{Kind: audit.KindAdministration, Time: c.At, UserName: c.Actor, Action: changeAction(c.Kind), Object: changeObject(c),
		After: strings.TrimSpace(c.Name + " " + c.Role), Message: string(c.Kind)})
	if err := os.WriteFile(r.recordedFile(), []byte(strconv.FormatInt(c.Revision, 10)+"\n"), 0o600); err != nil {
		r.log.Warn("the number of the newest recorded change is not kept", "error", err)
	}
}

func changeAction(k store.Kind) string {
	switch k {
	case store.KindUserAdded, store.KindGroupAdded, store.KindProjectAdded:
		return "create"
	case store.KindUserRemoved, store.KindGroupRemoved, store.KindProjectRemoved:
		return "delete"
	case store.KindUserEnabled:
		return "enable"
	case store.KindUserDisabled:
		return "disable"
	case store.KindPasswordChanged:
		return "password_change"
	case store.KindCredentialAdded:
		return "credential_add"
	case store.KindCredentialRevoked:
		return "credential_revoke"
	case store.KindUserRenamed:
		return "rename"
	case store.KindRoleSet, store.KindGroupJoined, store.KindProjectRoleSet:
		return "attach_policy"
	case store.KindGroupLeft, store.KindProjectRoleGone:
		return "detach_policy"
	}
	return string(k)
}

func changeObject(c store.Change) string {
	switch {
	case c.UserName != "":
		return "user " + c.UserName
	case c.Kind == store.KindGroupAdded || c.Kind == store.KindGroupRemoved:
		return "group " + c.Name
	case c.Kind == store.KindProjectAdded || c.Kind == store.KindProjectRemoved:
		return "project " + c.Name
	}
	return "users"
}

// userChanged ends the sessions that a change concerns: what a session may do
// was settled at its login.
func (r *daemon) userChanged(ctx context.Context, c store.Change) {
	if c.Kind == store.KindResync || c.Kind == store.KindGroupRemoved || c.Kind == store.KindProjectRemoved {
		r.recheck(ctx)
		return
	}
	if c.UserID == "" || c.Kind == store.KindUserAdded || c.Kind == store.KindCredentialAdded {
		return
	}
	for _, id := range concerned(r.server.Sessions(), c, func(l *proxy.Login) (bool, error) { return r.outdated(ctx, l) }) {
		r.log.Info("session of a changed user ends", "session", id, "change", string(c.Kind))
		r.server.EndSession(id, proxy.EndUserDisabled)
	}
}

// concerned returns the ids of the sessions that a change of a user ends. A
// login may have followed the change; where nobody can tell, it counts as before.
func concerned(sessions []proxy.Login, c store.Change, outdated func(*proxy.Login) (bool, error)) (ids []string) {
	for _, l := range sessions {
		if l.UserID != c.UserID {
			continue
		}
		if old, err := outdated(&l); old || err != nil {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// outdated says that a session's user is gone, disabled, or has changed since
// the login. An error means that the store cannot be read.
func (r *daemon) outdated(ctx context.Context, l *proxy.Login) (bool, error) {
	u, err := r.store.LookupUser(ctx, l.User)
	var missing *store.NotFound
	if errors.As(err, &missing) {
		return true, nil
	}
	return err == nil && (u.ID != l.UserID || u.Disabled() || !u.UpdatedAt.Equal(l.Version)), err
}

// recheck ends the sessions that are outdated. Sessions go on while the store
// cannot be read, and are looked at when it can again.
func (r *daemon) recheck(ctx context.Context) {
	for !r.rechecked(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (r *daemon) rechecked(ctx context.Context) bool {
	for _, l := range r.server.Sessions() {
		outdated, err := r.outdated(ctx, &l)
		if err != nil {
			return false
		}
		if outdated {
			r.server.EndSession(l.ID, proxy.EndUserDisabled)
		}
	}
	return true
}

// stillValid says why a login that was just proven is void: the user changed
// in the meantime, when the session was not there to be ended.
func (r *daemon) stillValid(ctx context.Context, id *auth.Identity) error {
	u, err := r.store.LookupUser(ctx, id.Name)
	if err != nil {
		return err
	}
	if u.ID != id.ID || u.Disabled() || !u.UpdatedAt.Equal(id.Version) {
		return errors.New("the user has changed since the login")
	}
	return nil
}
