package audit

import (
	"fmt"
	"os"
)

// tailFile is a file that grows by whole writes: what a failed write leaves
// behind is cut off again, at once if possible, otherwise before the next one.
type tailFile struct {
	name string
	open func(name string, flag int, perm os.FileMode) (File, error)
	file File
	good int64 // length up to the end of the last whole write
	torn bool  // there may be bytes after good
}

// openTail opens the file name, which has good bytes worth keeping; extra
// flags are added to those for appending.
func openTail(o *Options, name string, good int64, flag int) (*tailFile, error) {
	t := &tailFile{name: name, open: o.OpenFile, good: good}
	f, err := t.open(name, os.O_WRONLY|os.O_APPEND|flag, 0o600)
	if err != nil {
		return nil, err
	}
	t.file = f
	return t, nil
}

// append writes p whole or not at all. After an error the file is as it was,
// or is known to need repair.
func (t *tailFile) append(p []byte) error {
	if err := t.repair(); err != nil {
		return err
	}
	n, err := t.file.Write(p)
	if err == nil && n < len(p) {
		err = fmt.Errorf("only %d of %d bytes were written", n, len(p))
	}
	if err != nil {
		t.undo()
		return fmt.Errorf("write: %w", err)
	}
	t.good += int64(len(p))
	return nil
}

// undo cuts the file back to good. If that fails now, repair does it later.
func (t *tailFile) undo() {
	t.torn = true
	if t.file != nil && t.file.Truncate(t.good) == nil {
		t.torn = false
	}
}

// repair cuts off what an earlier write left, opening the file anew if need be.
func (t *tailFile) repair() error {
	if !t.torn {
		return nil
	}
	if t.undo(); !t.torn {
		return nil
	}
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
	f, err := t.open(t.name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	t.file = f
	if err := f.Truncate(t.good); err != nil {
		return fmt.Errorf("cut off a torn write: %w", err)
	}
	t.torn = false
	return nil
}

func (t *tailFile) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
