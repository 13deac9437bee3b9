package audit

import (
	"fmt"
	"os"
	"time"
)

// syncJob is an fsync in the background, so that appends go on meanwhile. It
// uses only the fields below and checkpoints.jsonl, which is nobody else's
// while the job runs.
type syncJob struct {
	begun time.Time
	seg   *tailFile
	size  int64      // of the segment when the job began
	owed  *Statement // for checkpoints.jsonl, once the segment is on disk
	state *tailFile

	done     chan struct{} // closed when what follows is known
	segErr   error         // the segment cannot be trusted any more
	problem  string
	stateErr error // the statement is still owed
}

// startJob begins a job; w.jobs tells that one has ended.
func (w *writer) startJob() {
	job := &syncJob{begun: time.Now(), seg: w.seg, size: w.seg.good, owed: w.owed, state: w.stateFile, done: make(chan struct{})}
	w.job, w.dirty = job, false
	file := w.seg.file
	go func() { // ends with the fsync; the writer waits for it
		job.run(file)
		close(job.done)
		select {
		case w.jobs <- struct{}{}:
		default:
		}
	}()
}

func (job *syncJob) run(file File) {
	if job.segErr = file.Sync(); job.segErr != nil {
		job.problem = problemFsync
		return
	}
	job.problem = problemLost
	// A file that was removed or cut from outside would go on taking records.
	info, err := os.Stat(job.seg.name)
	switch {
	case err != nil:
		job.segErr = err
	case info.Size() < job.size:
		job.segErr = fmt.Errorf("cut from outside to %d bytes; %d were written", info.Size(), job.size)
	case job.owed != nil:
		job.stateErr = appendStatement(job.state, job.owed)
	}
}

// endedJob takes note of a job that has ended, if there is one.
func (w *writer) endedJob() {
	if w.job == nil {
		return
	}
	select {
	case <-w.job.done:
		w.finishJob(w.job)
	default:
	}
}

// finishJob takes note of how a job ended.
func (w *writer) finishJob(job *syncJob) {
	w.job, w.lastSync = nil, time.Now()
	if job.segErr != nil {
		w.seal(job.problem, job.segErr)
		w.fail("fsync", job.segErr)
		return
	}
	if job.owed == nil {
		return
	}
	if job.stateErr != nil {
		w.fail("checkpoint", job.stateErr)
		return
	}
	w.owed = nil
	w.opts.Metrics.checkpointed(time.Now())
}

func (w *writer) fail(op string, err error) {
	w.nextTry = time.Now()
	w.j.setDown(w.j.unavailable(op, err))
}

// waitJob waits for a job in progress, but not forever for a disk that hangs.
func (w *writer) waitJob() error {
	if w.job == nil {
		return nil
	}
	patience := time.NewTimer(stallLimit)
	defer patience.Stop()
	select {
	case <-w.job.done:
		w.finishJob(w.job)
		return nil
	case <-patience.C:
		return fmt.Errorf("fsync: no answer for %s", stallLimit)
	}
}
