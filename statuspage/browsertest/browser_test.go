// Package browsertest tests the status page in Debian's chromium. It is a separate module, so that the page does not
// depend on a browser library. STATUSPAGE_SCREENSHOTS names a directory for screenshots; without it none are kept.
package browsertest

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/gwyh-go/gwyh/statuspage"
)

// A tab is an open page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	errors   []string // of the console
	requests []string // requests to other sites
}

// look describes how a tab displays a page.
type look struct {
	width, height int64
	scheme        string // "light" or "dark"
	noScript      bool
}

var (
	desktop = look{width: 1280, height: 900, scheme: "light"}
	dark    = look{width: 1280, height: 900, scheme: "dark"}
	phone   = look{width: 390, height: 844, scheme: "light"}
)

// browser is the browser of all tests.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("force-color-profile", "srgb"))
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	return ctx, chromedp.Run(ctx)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if ctx, err := browser(); err == nil {
		_ = chromedp.Cancel(ctx)
	}
	os.Exit(code)
}

// open serves the page of a node and opens it.
func open(t *testing.T, source statuspage.Source, l look) *tab {
	t.Helper()
	p := openHandler(t, statuspage.Handler(source), l)
	if !l.noScript {
		p.until("document.documentElement.dataset.ready > 0")
	}
	return p
}

// openHandler serves a page and opens it.
func openHandler(t *testing.T, page http.Handler, l look) *tab {
	t.Helper()
	b, err := browser()
	if err != nil {
		t.Fatalf("start the browser (is chromium installed?): %v", err)
	}
	server := httptest.NewServer(page)
	ctx, cancel := chromedp.NewContext(b)
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(func() {
		stop()
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	p := &tab{t: t, ctx: ctx, url: server.URL}
	chromedp.ListenTarget(ctx, p.listen)
	p.do(network.Enable(), log.Enable(), runtime.Enable(),
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(1)),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}),
		emulation.SetScriptExecutionDisabled(l.noScript),
		chromedp.Navigate(server.URL+"/"))
	t.Cleanup(p.check)
	return p
}

func (p *tab) listen(e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		p.errors = append(p.errors, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, a := range e.Args {
				p.errors = append(p.errors, string(a.Value))
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			p.errors = append(p.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, p.url+"/") && !strings.HasPrefix(u, "about:") {
			p.requests = append(p.requests, u)
		}
	}
}

// check fails the test if the console has an error or the page requested something from another site.
func (p *tab) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.errors {
		p.t.Errorf("the console has an error: %s", e)
	}
	for _, u := range p.requests {
		p.t.Errorf("the page requests %s", u)
	}
}

func (p *tab) do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval evaluates a JavaScript expression.
func eval[T any](p *tab, expression string) (result T) {
	p.t.Helper()
	p.do(chromedp.Evaluate(expression, &result))
	return result
}

// until waits for a JavaScript expression to be true. The page polls it itself: chromedp.Poll waits for frames, which
// a tab in the background does not draw.
func (p *tab) until(expression string) {
	p.t.Helper()
	p.do(chromedp.ActionFunc(func(ctx context.Context) error {
		var came bool
		script := fmt.Sprintf(`new Promise(done => {
			const end = Date.now() + 40000;
			const look = () => (%s) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 20);
			look();
		})`, expression)
		err := chromedp.Evaluate(script, &came, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }).Do(ctx)
		if err == nil && !came {
			err = fmt.Errorf("not within 40 s: %s", expression)
		}
		return err
	}))
}

// repeat runs an action up to three times, for at most 20 seconds each. Chromium does not answer a request for a
// screenshot if it draws no frame after it, which happens on a busy machine.
func (p *tab) repeat(action chromedp.Action) {
	p.t.Helper()
	var err error
	for range 3 {
		ctx, stop := context.WithTimeout(p.ctx, 20*time.Second)
		err = chromedp.Run(ctx, action)
		stop()
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// shoot keeps a screenshot.
func (p *tab) shoot(name string, whole bool) {
	p.t.Helper()
	dir := os.Getenv("STATUSPAGE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var b []byte
	action := chromedp.Action(chromedp.CaptureScreenshot(&b))
	if whole {
		action = chromedp.FullScreenshot(&b, 100)
	}
	p.repeat(action)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// views are the parts of the page.
var views = []string{"overview", "members", "links", "messages", "queues", "history", "security"}

// visit clicks the link to a view and waits until only that view is shown.
func (p *tab) visit(view string) {
	p.t.Helper()
	p.do(chromedp.Click(`nav a[href="#`+view+`"]`, chromedp.ByQuery))
	p.until(`[...document.querySelectorAll("main > section")].every(s => s.hidden === (s.id !== "` + view + `"))`)
}

// audit fails the test for each violation that axe finds. what names the audited view.
func (p *tab) audit(what string) {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	var found []string
	p.do(chromedp.Evaluate(script+";0", nil),
		chromedp.Evaluate(`axe.run(document).then(r => r.violations.map(v => v.id + ": " + v.help + " at " + v.nodes.slice(0, 3).map(n => n.target + " " + n.failureSummary).join("; ")))`,
			&found, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	for _, v := range found {
		p.t.Errorf("%s: %s", what, v)
	}
}

// axe is the accessibility checker of Deque, from npm.
var axe = sync.OnceValues(func() (string, error) {
	f, err := os.Open("testdata/axe-4.14.1.min.js.gz")
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(z)
	return string(b), err
})
