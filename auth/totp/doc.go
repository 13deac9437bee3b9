// Package totp checks the second factor that an authenticator app shows (RFC
// 6238: SHA-1, six digits, 30 s, which is what all apps know), and makes the
// recovery codes for whoever has lost the app.
//
//   - A code counts once: whoever looks over a shoulder cannot use it again, nor
//     one that is older than the last that was used.
//   - A code counts in its own time step and in the two beside it.
//   - Secrets and codes are in no error and no log.
//
// It keeps nothing. The caller keeps secrets encrypted, counts failures (a
// million codes are few), and stores a step or the use of a recovery code in the
// transaction that compares it with what was stored before.
package totp
