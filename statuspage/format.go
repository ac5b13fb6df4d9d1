package statuspage

import (
	"fmt"
	"strconv"
	"time"
)

// milliseconds formats a short duration, or a dash if it is zero.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return "–"
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// ago formats how long ago a moment was, in the unit that suits a person. app.js does the same.
func ago(now, then time.Time) string {
	d := max(now.Sub(then), 0)
	switch {
	case then.IsZero():
		return "–"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// before formats how long before an event something was.
func before(event, then time.Time) string {
	return fmt.Sprintf("%.1f s before", max(event.Sub(then), 0).Seconds())
}

// size formats a number of bytes.
func size(n float64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%.0f B", n)
	case n < 10_000:
		return fmt.Sprintf("%.1f kB", n/1000)
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", n/1000)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", n/1e6)
	}
	return fmt.Sprintf("%.1f GB", n/1e9)
}

// count formats a number with a space between groups of three digits.
func count[T int | uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// percent formats a fraction from 0 to 1.
func percent(share float64) string {
	switch {
	case share <= 0:
		return "0 %"
	case share < 0.001:
		return "< 0.1 %"
	case share < 0.1:
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}
