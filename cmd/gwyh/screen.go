package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Times between two signs of progress.
const (
	liveEvery  = 50 * time.Millisecond
	plainEvery = 2 * time.Second
)

// A screen shows what a run does. On a terminal its last line tells the progress of the current step
// and is written over; elsewhere a step that lasts long writes a plain line now and then.
type screen struct {
	out    io.Writer
	live   bool
	colour bool

	begun time.Time // of the current step
	shown time.Time // the last sign of progress
	width int       // columns of the line to be written over; 0 for none
}

func newScreen(out io.Writer) *screen {
	live := isTerminal(out)
	return &screen{out: out, live: live, colour: live && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != ""}
}

// isTerminal reports whether lines written to out can be written over.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// title begins a part of the run.
func (s *screen) title(format string, args ...any) {
	s.print("\n" + s.paint("1", fmt.Sprintf(format, args...)))
	s.step()
}

// step begins something whose progress is to be shown.
func (s *screen) step() { s.begun = time.Now(); s.shown = s.begun }

// good tells of something that is as it should be.
func (s *screen) good(format string, args ...any) {
	s.print("   " + s.paint("32", "✓") + " " + fmt.Sprintf(format, args...))
}

// bad tells of something that is not.
func (s *screen) bad(format string, args ...any) {
	s.print("   " + s.paint("31", "✗") + " " + fmt.Sprintf(format, args...))
}

// text goes on about what the line before told.
func (s *screen) text(format string, args ...any) {
	s.print("     " + fmt.Sprintf(format, args...))
}

func (s *screen) print(line string) {
	s.clear()
	fmt.Fprintln(s.out, line)
}

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// progress tells how far the current step is. It may be called as often as one likes.
func (s *screen) progress(what string, done, total int) {
	now := time.Now()
	switch {
	case s.live && now.Sub(s.shown) >= liveEvery:
		s.shown = now
		line := fmt.Sprintf("     %-30s %s %*d of %d  %.1f s", what, gauge(done, total, 12),
			len(fmt.Sprint(total)), done, total, now.Sub(s.begun).Seconds())
		s.overwrite(line)
	case !s.live && now.Sub(s.shown) >= plainEvery:
		s.shown = now
		fmt.Fprintf(s.out, "     ... %s: %d of %d after %.0f s\n", what, done, total, now.Sub(s.begun).Seconds())
	}
}

// gauge is a bar with the rest of its width shown too.
func gauge(done, total, width int) string {
	b := bar(done, total, width)
	return "▕" + b + strings.Repeat(" ", width-utf8.RuneCountInString(b)) + "▏"
}

// overwrite puts line in the place of the one before, with nothing that a terminal has to understand
// but the carriage return.
func (s *screen) overwrite(line string) {
	n := utf8.RuneCountInString(line)
	fmt.Fprint(s.out, "\r", line, strings.Repeat(" ", max(s.width-n, 0)))
	s.width = n
}

// clear takes the progress away.
func (s *screen) clear() {
	if s.width > 0 {
		fmt.Fprint(s.out, "\r", strings.Repeat(" ", s.width), "\r")
		s.width = 0
	}
}
