package mysession

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// hangups tells when a peer closes a connection on which nobody waits: the
// server's of an idle session, the client's of a busy one. One goroutine waits for all of them, as long as there are any.
type hangups struct {
	mu      sync.Mutex
	epoll   int // -1 without a goroutine
	wake    [2]int
	next    int32
	watched map[int32]func()
	done    chan struct{}
}

// hangupEvents are EPOLLRDHUP, EPOLLET and EPOLLONESHOT.
const hangupEvents = syscall.EPOLLRDHUP | 1<<31 | 1<<30

// watch has f called, on a goroutine that stop waits for, when the peer closes
// its side of a connection. It reports false where that cannot be known.
func (h *hangups) watch(conn net.Conn, f func()) (stop func(), ok bool) {
	if c, isTLS := conn.(*tls.Conn); isTLS {
		conn = c.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watched) == 0 && !h.begin() {
		return nil, false
	}
	h.next++
	id := h.next
	if controlErr := raw.Control(func(fd uintptr) {
		err = syscall.EpollCtl(h.epoll, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: hangupEvents, Fd: id})
	}); controlErr != nil || err != nil {
		h.endIfUnused()
		return nil, false
	}
	var called sync.WaitGroup
	h.watched[id] = func() { called.Go(f) }
	return func() {
		h.mu.Lock()
		delete(h.watched, id)
		_ = raw.Control(func(fd uintptr) { _ = syscall.EpollCtl(h.epoll, syscall.EPOLL_CTL_DEL, int(fd), nil) }) // a closed one is gone already
		h.endIfUnused()
		h.mu.Unlock()
		called.Wait()
	}, true
}

// begin starts the goroutine. mu is held.
func (h *hangups) begin() bool {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if err := syscall.Pipe2(h.wake[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		_ = syscall.Close(epoll)
		return false
	}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, h.wake[0], &syscall.EpollEvent{Events: syscall.EPOLLHUP}); err != nil {
		for _, fd := range []int{epoll, h.wake[0], h.wake[1]} {
			_ = syscall.Close(fd)
		}
		return false
	}
	h.epoll, h.watched, h.done = epoll, map[int32]func(){}, make(chan struct{})
	go h.wait(epoll, h.wake[0], h.done) // ends by endIfUnused
	return true
}

// endIfUnused ends the goroutine with the last watch. mu is held.
func (h *hangups) endIfUnused() {
	if len(h.watched) == 0 {
		_ = syscall.Close(h.wake[1]) // the other end hangs up
		h.epoll = -1
	}
}

func (h *hangups) wait(epoll, wake int, done chan struct{}) {
	defer close(done)
	defer func() {
		_ = syscall.Close(wake)
		_ = syscall.Close(epoll)
	}()
	events := make([]syscall.EpollEvent, 16)
	for {
		n, err := syscall.EpollWait(epoll, events, -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == 0 {
				return
			}
			h.mu.Lock()
			f := h.watched[e.Fd]
			h.mu.Unlock()
			if f != nil {
				f()
			}
		}
	}
}
