package unreached

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

func quiet(to string) error {
	return fmt.Errorf("join %s: %w", to, &NoAnswerError{To: to, Within: 10 * time.Second})
}

func TestCausesAreListedOnceIfNobodyAnswered(t *testing.T) {
	closed := fmt.Errorf("join 10.0.0.9:7946: %w", syscall.ECONNREFUSED)
	err := Error([]error{quiet("10.0.0.7:7946"), closed, quiet("10.0.0.8:7946")})
	for _, part := range []string{"gwyh: no node was reached: join 10.0.0.7:7946: no answer within 10s\n", "join 10.0.0.8:7946: no answer within 10s"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	if n := strings.Count(err.Error(), Causes); n != 1 {
		t.Errorf("the causes are listed %d times: %q", n, err)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, handshake.ErrNoAnswer) {
		t.Errorf("%v wraps not all that happened", err)
	}
	if err := Error([]error{closed}); strings.Contains(err.Error(), Causes) {
		t.Errorf("causes are listed although the port is closed: %q", err)
	}
}

func TestWarningNamesAFewOfTheAddressesThatWereSilent(t *testing.T) {
	if w := Warning([]error{syscall.ECONNREFUSED}); w != "" {
		t.Errorf("%q", w)
	}
	var errs []error
	for i := range 300 {
		errs = append(errs, quiet(fmt.Sprintf("10.0.0.%d:7946", i)))
	}
	w := Warning(errs)
	if !strings.HasPrefix(w, "joined nobody: no answer from 10.0.0.0:7946, ") || !strings.Contains(w, "10.0.0.4:7946 and 295 more. "+Causes) {
		t.Errorf("%q", w)
	}
}

func TestTimeWithoutAnAnswerIsRounded(t *testing.T) {
	for within, want := range map[time.Duration]string{
		7999 * time.Millisecond:   "no answer within 8s",
		250400 * time.Microsecond: "no answer within 250ms",
	} {
		if got := (&NoAnswerError{Within: within}).Error(); got != want {
			t.Errorf("%v: %q, want %q", within, got, want)
		}
	}
}
