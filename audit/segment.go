package audit

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentPrefix = "segment-"
	segmentSuffix = ".jsonl"
	gzipSuffix    = ".gz"
)

// segment is one file of the journal; segments are numbered from 1.
type segment struct {
	num  int
	path string // ends in .gz if it is compressed
	size int64  // of the file when it was listed
}

func (s segment) compressed() bool { return strings.HasSuffix(s.path, gzipSuffix) }

func segmentName(num int) string {
	return fmt.Sprintf("%s%08d%s", segmentPrefix, num, segmentSuffix)
}

// listings bounds how often a directory that changes is listed.
const listings = 10

// listSegments returns the segments in dir by number. A directory is not read
// at one moment: what is made and renamed meanwhile can be missing although
// something newer is there. So a gap counts, and where the journal begins,
// when a second listing says the same.
func listSegments(dir string) ([]segment, error) {
	segs, err := listOnce(dir)
	for range listings {
		if err != nil {
			return nil, err
		}
		before := segs
		if segs, err = listOnce(dir); err == nil && settled(before, segs) {
			break
		}
	}
	return segs, err
}

// settled says that segs, listed after before, is what the directory holds.
func settled(before, segs []segment) bool {
	sameNum := func(a, b segment) bool { return a.num == b.num }
	if slices.EqualFunc(before, segs, sameNum) {
		return true
	}
	return len(before) > 0 && len(segs) > 0 && before[0].num == segs[0].num && segs[len(segs)-1].num-segs[0].num+1 == len(segs)
}

// listOnce lists dir. While a segment is being compressed both its files
// exist; the plain one counts.
func listOnce(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list audit segments: %w", err)
	}
	byNum := map[int]segment{}
	for _, e := range entries {
		num, ok := segmentNum(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list audit segments: %w", err)
		}
		s := segment{num: num, path: filepath.Join(dir, e.Name()), size: info.Size()}
		if have, ok := byNum[num]; !ok || have.compressed() {
			byNum[num] = s
		}
	}
	segs := make([]segment, 0, len(byNum))
	for _, s := range byNum {
		segs = append(segs, s)
	}
	slices.SortFunc(segs, func(a, b segment) int { return a.num - b.num })
	return segs, nil
}

func segmentNum(name string) (int, bool) {
	name, ok := strings.CutPrefix(strings.TrimSuffix(name, gzipSuffix), segmentPrefix)
	if !ok {
		return 0, false
	}
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) < 8 {
		return 0, false
	}
	num, err := strconv.Atoi(digits)
	return num, err == nil && num > 0
}

// segmentReader reads the lines of a segment, as far as it reached when it was listed.
type segmentReader struct {
	*lineReader
	file *os.File
}

func (s segment) open() (*segmentReader, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) && !s.compressed() {
		// Compressed since it was listed.
		s.path += gzipSuffix
		s.size = 1<<63 - 1
		f, err = os.Open(s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("open audit segment: %w", err)
	}
	var r io.Reader = io.LimitReader(f, s.size)
	if s.compressed() {
		if r, err = gzip.NewReader(bufio.NewReader(f)); err != nil {
			f.Close()
			return nil, &damagedError{s.path, err}
		}
	}
	return &segmentReader{newLineReader(r), f}, nil
}

func (r *segmentReader) Close() error { return r.file.Close() }

// damagedError says that a compressed segment cannot be unpacked.
type damagedError struct {
	path string
	err  error
}

func (e *damagedError) Error() string { return fmt.Sprintf("%s: %v", filepath.Base(e.path), e.err) }
func (e *damagedError) Unwrap() error { return e.err }

var errLongLine = fmt.Errorf("the line is longer than %d bytes", maxLine)

// lineReader splits a stream into lines of at most maxLine bytes.
type lineReader struct {
	r      *bufio.Reader
	long   []byte // holds a line that exceeds r's buffer
	offset int64  // of the end of the last line, its newline included
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 256<<10)}
}

// next returns the next line without its newline; it is valid until the next
// call. At the end of the stream it returns io.EOF and whatever follows the
// last newline. A line that is too long is skipped and is errLongLine.
func (lr *lineReader) next() ([]byte, error) {
	chunk, err := lr.r.ReadSlice('\n')
	lr.offset += int64(len(chunk))
	if err == nil {
		return chunk[:len(chunk)-1], nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return chunk, lr.end(err)
	}
	lr.long = append(lr.long[:0], chunk...)
	for errors.Is(err, bufio.ErrBufferFull) {
		chunk, err = lr.r.ReadSlice('\n')
		lr.offset += int64(len(chunk))
		if len(lr.long) <= maxLine {
			lr.long = append(lr.long, chunk...)
		}
	}
	if err != nil {
		return lr.long, lr.end(err)
	}
	if len(lr.long) > maxLine {
		return nil, errLongLine
	}
	return lr.long[:len(lr.long)-1], nil
}

func (lr *lineReader) end(err error) error {
	if err == io.EOF {
		return io.EOF
	}
	return fmt.Errorf("read audit segment: %w", err)
}
