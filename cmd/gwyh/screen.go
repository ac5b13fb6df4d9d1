package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Intervals of progress reports.
const (
	liveEvery  = 50 * time.Millisecond
	plainEvery = 2 * time.Second
	plainShare = 5 // without a terminal, a report comes at the earliest after this fraction of the step, so that long steps print few
)

// A screen shows the progress and the results of a run. On a terminal it overwrites its last line with the progress
// of the current step. Elsewhere it prints a plain line now and then if a step takes long.
type screen struct {
	out   io.Writer
	live  bool
	color bool

	begun time.Time // of the current step
	shown time.Time // time of the last progress report
	width int       // columns of the line to overwrite; 0 for none
}

func newScreen(out io.Writer) *screen {
	live := isTerminal(out)
	return &screen{out: out, live: live, color: live && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != ""}
}

// isTerminal reports whether lines written to out can be overwritten.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// title prints the title of a part of the run.
func (s *screen) title(format string, args ...any) {
	s.print("\n" + s.paint("1", fmt.Sprintf(format, args...)))
	s.step()
}

// step begins a step with progress reports.
func (s *screen) step() { s.begun = time.Now(); s.shown = s.begun }

// good prints a result that is as it should be.
func (s *screen) good(format string, args ...any) {
	s.print("   " + s.paint("32", "✓") + " " + fmt.Sprintf(format, args...))
}

// bad prints a result that is wrong.
func (s *screen) bad(format string, args ...any) {
	s.print("   " + s.paint("31", "✗") + " " + fmt.Sprintf(format, args...))
}

// text prints more about the previous result.
func (s *screen) text(format string, args ...any) {
	s.print("     " + fmt.Sprintf(format, args...))
}

func (s *screen) print(line string) {
	s.clear()
	fmt.Fprintln(s.out, line)
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// progress shows the progress of the current step. It may be called often.
func (s *screen) progress(what string, done, total int) {
	now := time.Now()
	switch {
	case s.live && now.Sub(s.shown) >= liveEvery:
		s.shown = now
		line := fmt.Sprintf("     %-30s %s %*d of %d  %.1f s", what, gauge(done, total, 12),
			len(fmt.Sprint(total)), done, total, now.Sub(s.begun).Seconds())
		s.overwrite(line)
	case !s.live && now.Sub(s.shown) >= max(plainEvery, now.Sub(s.begun)/plainShare):
		s.shown = now
		fmt.Fprintf(s.out, "     ... %s: %d of %d after %.0f s\n", what, done, total, now.Sub(s.begun).Seconds())
	}
}

// of returns a function that reports the progress of steps whose names begin with prefix. Each name is a step.
func (s *screen) of(prefix string) func(what string, done, total int) {
	last := ""
	return func(what string, done, total int) {
		if what != last {
			last = what
			s.step()
		}
		s.progress(prefix+what, done, total)
	}
}

// gauge draws a progress bar over its full width.
func gauge(done, total, width int) string {
	b := bar(done, total, width)
	return "▕" + b + strings.Repeat(" ", width-utf8.RuneCountInString(b)) + "▏"
}

// overwrite replaces the previous line. The only control character that it uses is the carriage return.
func (s *screen) overwrite(line string) {
	n := utf8.RuneCountInString(line)
	fmt.Fprint(s.out, "\r", line, strings.Repeat(" ", max(s.width-n, 0)))
	s.width = n
}

// clear removes the progress line.
func (s *screen) clear() {
	if s.width > 0 {
		fmt.Fprint(s.out, "\r", strings.Repeat(" ", s.width), "\r")
		s.width = 0
	}
}
