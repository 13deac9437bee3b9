//go:build !unix

package mywire

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (r *Reader) waitFD(uintptr) bool { return true }
