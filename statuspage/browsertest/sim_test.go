package browsertest

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// simPage writes the page of a simulation with the program gwyh, once for all tests, and returns its file.
var simPage = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "sim.html")
	run := exec.Command("go", "run", ".", "sim", "-nodes", "24", "-zones", "3", "-idle", "5s", "-duration", "3s", "-crash", "3", "-html", file)
	run.Dir = "../../cmd/gwyh"
	out, err := run.CombinedOutput()
	if err != nil {
		err = &runError{err, string(out)}
	}
	return file, err
})

// A runError is the error of a program with its output.
type runError struct {
	error
	output string
}

func (e *runError) Error() string { return e.error.Error() + "\n" + e.output }

func TestPageOfASimulationShowsItsPlotsAndRequestsNothing(t *testing.T) {
	file, err := simPage()
	if err != nil {
		t.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	backgrounds := map[string]string{}
	for name, l := range map[string]look{"light": desktop, "dark": dark, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			p := openHandler(t, page, l)
			if n := eval[int](p, `[...document.querySelectorAll("svg.plot")].filter(s => s.getBoundingClientRect().height > 100).length`); n != 8 {
				t.Errorf("%d plots are shown, want 8", n)
			}
			if wide := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
				t.Errorf("the page is %d pixels wider than the window", wide)
			}
			if nodes := eval[int](p, `JSON.parse(document.querySelector("#report").textContent).nodes`); nodes != 24 {
				t.Errorf("the report is of %d nodes", nodes)
			}
			if n := eval[int](p, `performance.getEntriesByType("resource").length`); n > 0 {
				t.Errorf("the page requests %d files", n)
			}
			backgrounds[name] = eval[string](p, `getComputedStyle(document.body).backgroundColor + getComputedStyle(document.querySelector(".plot .page")).fill`)
			p.audit("the page")
			p.shoot("sim-"+name, true)
		})
	}
	if backgrounds["light"] == backgrounds["dark"] {
		t.Errorf("light and dark look the same: %s", backgrounds["light"])
	}
}
