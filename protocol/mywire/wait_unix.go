//go:build unix

package mywire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn returns conn's socket, or nil if conn is not a plain socket.
func rawConn(conn net.Conn) syscall.RawConn {
	switch c := conn.(type) {
	case *net.TCPConn:
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	case *net.UnixConn:
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// waitFD reads from a socket that does not block. It takes a buffer for the
// attempt only, so that none is held while the runtime waits for input; the
// number of system calls is that of an ordinary read.
func (r *Reader) waitFD(fd uintptr) bool {
	r.attach()
	for {
		n, err := syscall.Read(int(fd), r.buf)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.release()
			return false
		case err != nil:
			r.fdErr = err
		case n == 0:
			r.fdErr = io.EOF
		default:
			r.fdN = n
		}
		return true
	}
}
