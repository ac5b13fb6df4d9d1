// Package unreached says why a Join reached nobody, and what may be the cause where nobody answered.
package unreached

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// Causes is what a missing answer can mean. A node answers nothing that it cannot verify, so the joining node cannot tell
// these apart; a node that gets a Hello and refuses it writes why.
const Causes = "UDP may be blocked on the way, the other node may have another key or label, its clock may be more than a minute off, " +
	"or the program there may not be gwyh. A gwyh node that refuses this one writes why to its log"

var errCauses = errors.New("possible causes of no answer: " + Causes)

// A NoAnswerError says that nothing came from an address in the time of a Join, not even that its port is closed.
type NoAnswerError struct {
	To     string
	Within time.Duration
}

func (e *NoAnswerError) Error() string {
	precision := time.Millisecond
	if e.Within >= time.Second {
		precision = 100 * time.Millisecond
	}
	return fmt.Sprintf("no answer within %v", e.Within.Round(precision))
}

// Unwrap is handshake.ErrNoAnswer.
func (e *NoAnswerError) Unwrap() error { return handshake.ErrNoAnswer }

// Error joins the errors of the addresses of a Join, and once adds the likely causes if any of them did not answer.
func Error(errs []error) error {
	if len(silent(errs)) > 0 {
		errs = append(errs[:len(errs):len(errs)], errCauses)
	}
	return fmt.Errorf("gwyh: no node was reached: %w", errors.Join(errs...))
}

// namedMax bounds the addresses that a warning names.
const namedMax = 5

// Warning is the line for the log of the joining node; empty if all addresses that were not reached said why.
func Warning(errs []error) string {
	quiet := silent(errs)
	if len(quiet) == 0 {
		return ""
	}
	var to []string
	for _, e := range quiet[:min(len(quiet), namedMax)] {
		to = append(to, e.To)
	}
	more := ""
	if n := len(quiet) - len(to); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("joined nobody: no answer from %s%s. %s", strings.Join(to, ", "), more, Causes)
}

// silent is the addresses from which nothing came.
func silent(errs []error) (found []*NoAnswerError) {
	for _, err := range errs {
		if e, ok := errors.AsType[*NoAnswerError](err); ok {
			found = append(found, e)
		}
	}
	return found
}
