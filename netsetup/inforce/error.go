package inforce

import (
	"errors"
	"fmt"

	"github.com/vnetc/vnetc/ir/diag"
)

// Kind says what an [Error] means to the user.
type Kind uint8

const (
	No     Kind = iota + 1 // the answer is no, or what was asked for is refused
	Usage                  // nothing here goes by what was asked for
	Failed                 // the host refused or failed
)

// Error is why a verb did not do what it was asked for.
type Error struct {
	Kind     Kind
	What     string // in the user's own values
	Why, Fix string // may be empty
	Err      error  // the cause; nil if the engine itself is
}

// Error returns everything that there is to say: on one line, unless the reason needs a line of its
// own.
func (e *Error) Error() string {
	switch {
	case e.Why != "":
		return e.What + "\n  why: " + e.Why + "\n  fix: " + e.Fix
	case e.Fix != "":
		return e.What + "; " + e.Fix
	}
	return e.What
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// failed is an error of the host, nil for nil. One that has its kind already keeps it.
func failed(err error) error {
	var own *Error
	var input *InputError
	if err == nil || errors.As(err, &own) || errors.As(err, &input) {
		return err
	}
	return &Error{Kind: Failed, What: err.Error(), Err: err}
}

func failf(format string, args ...any) error { return failed(fmt.Errorf(format, args...)) }

// refuse returns an error that nothing but the engine is the cause of. fix may be empty.
func refuse(kind Kind, fix, format string, args ...any) error {
	return &Error{Kind: kind, What: fmt.Sprintf(format, args...), Fix: fix}
}

// InputError says that the back end can't express the networks' rules. No rule was touched.
type InputError struct {
	Sources *diag.Sources
	Found   diag.List
}

func (e *InputError) Error() string { return e.Found.Error() }
