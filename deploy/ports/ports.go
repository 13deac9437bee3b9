// Package ports finds free TCP ports of the loopback address, for throw-away
// servers that have to be told theirs.
package ports

import "net"

// Free returns n ports that differ and that nobody listened on a moment ago.
func Free(n int) ([]int, error) {
	var free []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are known
		free = append(free, l.Addr().(*net.TCPAddr).Port)
	}
	return free, nil
}

// One returns one of them.
func One() (int, error) {
	free, err := Free(1)
	if err != nil {
		return 0, err
	}
	return free[0], nil
}
