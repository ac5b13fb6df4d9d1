// Package unreached explains why a Join reached no node, and the likely causes of a missing answer. It is one file.
package unreached

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// Causes lists the possible causes of a missing answer. A node does not answer what it cannot verify, so the joining
// node cannot distinguish them; a node that refuses a Hello logs the reason.
const Causes = "UDP may be blocked on the way, the other node may have a different key or label, its clock may be more than a minute off, " +
	"or the program there may not be gwyh. A gwyh node that refuses this one writes why to its log"

var errCauses = errors.New("possible causes of no answer: " + Causes)

// A NoAnswerError says that nothing arrived from an address during a Join, not even a report that its port is closed.
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

// Unwrap returns handshake.ErrNoAnswer.
func (e *NoAnswerError) Unwrap() error { return handshake.ErrNoAnswer }

// Error joins the errors of the addresses of a Join. If any address did not answer, it adds the likely causes once.
func Error(errs []error) error {
	if len(silent(errs)) > 0 {
		errs = append(errs[:len(errs):len(errs)], errCauses)
	}
	return fmt.Errorf("gwyh: no node was reached: %w", errors.Join(errs...))
}

// namedMax bounds the number of addresses in a warning.
const namedMax = 5

// Warning returns the log line of the joining node. It is empty if every address that was not reached returned a reason.
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

// silent returns the errors of the addresses that did not answer.
func silent(errs []error) (found []*NoAnswerError) {
	for _, err := range errs {
		if e, ok := errors.AsType[*NoAnswerError](err); ok {
			found = append(found, e)
		}
	}
	return found
}
