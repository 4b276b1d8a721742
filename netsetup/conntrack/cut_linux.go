package conntrack

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/vnetc/vnetc/ir"
)

// Cut deletes the connections that the change from before to after forbids; see [Judge]. Both are
// programs of our own rules alone, with their links; before is nil if there were none. The rules of
// after stand in the kernel already. It works in the network namespace of the calling thread.
//
// A kernel that can't list connections is an error, a [ModuleError], unless there are no policies,
// and were none. With an error the report says what was done until then.
func Cut(before, after *ir.Program, h *ir.Host) (Report, error) {
	report := Report{Counts: []Count{}}
	j := NewJudge(before, after, h)
	if j.Idle() {
		return report, nil
	}
	lister, err := dial()
	if err != nil {
		return report, explain(err)
	}
	defer lister.close()
	deletions, err := dial()
	if err != nil {
		return report, explain(err)
	}
	defer deletions.close()
	settle()
	err = cut(lister, &deleter{conn: deletions, deleted: func(v Verdict) { report.add(v.Cause) }}, j, &report)
	return report, err
}

// cut lists, judges and deletes.
func cut(lister *conn, d *deleter, j *Judge, report *Report) error {
	var failed error // of what is no fault of the listing
	err := lister.list(subsystem, func(family byte, attrs []byte) error {
		e, k, err := parse(attrs)
		if err != nil {
			return err
		}
		report.Listed++
		if !j.Concerns(&e) {
			return nil
		}
		report.Judged++
		v := j.Judge(e)
		if v.Unsure {
			report.Unsure++
		}
		if v.Cut {
			failed = d.add(family, k, v)
		}
		return failed
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return errors.Join(explain(err), d.flush(), d.err())
	}
	return errors.Join(d.flush(), d.err())
}

// settle waits until no packet is on its way through the rules from before: it would open a
// connection behind the listing's back. The kernel walks rules in read-side critical sections of
// RCU and MEMBARRIER_CMD_GLOBAL waits for the end of all that have begun (membarrier(2)). A kernel
// that does not offer it leaves a window of microseconds.
func settle() {
	const global = 1
	unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
}
