package audit

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// packer compresses rotated segments, one at a time, in the background, if it is on.
type packer struct {
	dir     string
	on      bool
	onState func(error)
	files   sync.Mutex // held while segment files are renamed or removed
	more    chan struct{}
	quit    chan struct{}
	done    chan struct{}
}

func startPacker(o *Options) *packer {
	p := &packer{dir: o.Dir, on: o.Compress, onState: o.OnState,
		more: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	if !p.on {
		close(p.done)
		return p
	}
	go p.run() // until stop
	return p
}

// wake says that there may be a segment to compress.
func (p *packer) wake() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

func (p *packer) stop() {
	close(p.quit)
	<-p.done
}

func (p *packer) run() {
	defer close(p.done)
	for {
		select {
		case <-p.quit:
			return
		case <-p.more:
		}
		if err := p.packAll(); err != nil && !errors.Is(err, errQuit) {
			p.onState(fmt.Errorf("audit journal: compress: %w", err))
		}
	}
}

// packAll compresses every segment but the newest two: the successor of a
// compressed segment holds records already.
func (p *packer) packAll() error {
	segs, err := listSegments(p.dir)
	if err != nil {
		return err
	}
	for i, s := range segs {
		if s.compressed() || i+2 >= len(segs) {
			continue
		}
		if err := p.pack(s); err != nil {
			return err
		}
	}
	return nil
}

var errQuit = errors.New("stopped")

// pack replaces a segment by its compressed form. A crash leaves both, or a
// temporary file that the next attempt replaces.
func (p *packer) pack(s segment) error {
	tmp := s.path + gzipSuffix + ".tmp"
	defer os.Remove(tmp)
	if err := p.compress(s.path, tmp); err != nil {
		return err
	}
	p.files.Lock()
	defer p.files.Unlock()
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil // removed by retention meanwhile
	}
	if err := os.Rename(tmp, s.path+gzipSuffix); err != nil {
		return err
	}
	if err := syncDir(p.dir); err != nil {
		return err
	}
	return os.Remove(s.path)
}

func (p *packer) compress(from, to string) error {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	out := bufio.NewWriterSize(dst, 64<<10)
	zip := gzip.NewWriter(out)
	if _, err := io.Copy(zip, stoppable{src, p.quit}); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return dst.Sync()
}

// stoppable ends a copy early when quit is closed.
type stoppable struct {
	r    io.Reader
	quit chan struct{}
}

func (s stoppable) Read(b []byte) (int, error) {
	select {
	case <-s.quit:
		return 0, errQuit
	default:
		return s.r.Read(b)
	}
}
