package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gwyh-go/gwyh/status"
	"github.com/gwyh-go/gwyh/statuspage/internal/fake"
)

// busy simulates some messages at a node.
func busy(p *tab, f *fake.Node) {
	for i := range 12 {
		f.Broadcast(i)
	}
	p.until(`document.querySelectorAll("#table-messages tbody tr").length === 12 || document.querySelector("#messages").hidden`)
}

func TestEveryViewOpensWithoutErrorsAndRequestsNothingElsewhere(t *testing.T) {
	for name, l := range map[string]look{"light": desktop, "dark": dark, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			f := fake.New(60)
			p := open(t, f, l)
			busy(p, f)
			for _, v := range views {
				p.visit(v)
				if n := eval[int](p, `document.querySelectorAll("nav a[aria-current=page]").length`); n != 1 {
					t.Errorf("%s: %d views are marked as the current one", v, n)
				}
				if text := eval[string](p, `document.querySelector("#`+v+`").innerText`); len(text) < 40 {
					t.Errorf("%s shows only %q", v, text)
				}
				if wide := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
					t.Errorf("%s is %d pixels wider than the window", v, wide)
				}
				p.shoot(name+"-"+v, true)
			}
		})
	}
}

func TestMessagesShowTheirWayAndParentsWhereThatIsKnown(t *testing.T) {
	f := fake.New(60)
	p := open(t, f, desktop)
	p.visit("messages")
	busy(p, f)
	row := `[...document.querySelectorAll("#table-messages tbody tr")].find(r => r.cells[0].innerText.endsWith(" · 7")).cells`
	for cell, want := range map[string]string{"[0]": "node-0008 · 7", "[2]": "≥ 84 ms", "[5]": "node-0008, node-0001"} {
		if got := eval[string](p, row+cell+".innerText"); got != want {
			t.Errorf("%s: %q, want %q", cell, got, want)
		}
	}
	large := `[...document.querySelectorAll("#table-messages tbody tr")].find(r => r.cells[0].innerText.endsWith(" · 6")).cells`
	if got := eval[string](p, large+"[2].innerText + ', ' + "+large+"[5].innerText"); got != "unknown, not chosen yet" {
		t.Errorf("a message that says nothing about its way: %q", got)
	}
}

func TestPageIsAccessible(t *testing.T) {
	for name, l := range map[string]look{"light": desktop, "dark": dark, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			f := fake.New(60)
			p := open(t, f, l)
			busy(p, f)
			for _, v := range views {
				p.visit(v)
				p.audit(v)
			}
			p.visit("members")
			p.do(chromedp.Click("#table-members .name", chromedp.ByQuery), chromedp.WaitVisible("#detail", chromedp.ByID))
			p.audit("the detail of a member")
		})
	}
}

func TestThousandMembersAreShownAndUpdated(t *testing.T) {
	f := fake.New(1000)
	p := open(t, f, desktop)
	t.Logf("1,000 members: first update shown %d ms after the page was requested (the aim is 2,000 ms)", eval[int](p, "Number(document.documentElement.dataset.ready)"))
	begin := time.Now()
	p.visit("members")
	p.until(`document.querySelectorAll("#table-members tbody tr").length === 1000`)
	t.Logf("and their table %d ms after the click", time.Since(begin).Milliseconds())
	p.shoot("thousand-members", false)
	begin = time.Now()
	p.visit("links")
	p.until(`document.querySelectorAll("#graph .spot-member").length > 900`)
	t.Logf("and their graph %d ms after the click", time.Since(begin).Milliseconds())
	p.shoot("thousand-links", true)
	p.visit("members")
	f.SetState("node-0500", status.Failed)
	p.until(`[...document.querySelectorAll("#table-members tbody tr")].some(r => r.cells[0].innerText === "node-0500" && r.cells[1].innerText === "failed")`)
}

func TestMembersAreFilteredSortedAndShownInDetail(t *testing.T) {
	p := open(t, fake.New(60), desktop)
	p.visit("members")
	rows := `[...document.querySelectorAll("#table-members tbody tr")]`
	p.do(chromedp.SendKeys("#f-members", "ap-south node-001", chromedp.ByID))
	p.until(rows + `.length === 2 && document.querySelector("#n-members").innerText === "2 of 60"`)
	p.do(chromedp.Evaluate(`document.querySelector("#f-members").select()`, nil), chromedp.KeyEvent(kb.Backspace))
	p.until(rows + `.length === 60`)
	p.do(chromedp.Click(`#table-members thead th:nth-child(5) button`, chromedp.ByQuery))
	p.do(chromedp.Click(`#table-members thead th:nth-child(5) button`, chromedp.ByQuery))
	if name := eval[string](p, rows+`[0].cells[0].innerText`); name != "node-0010" {
		t.Errorf("the member with the longest round trip is %s", name)
	}
	p.do(chromedp.Click("#table-members .name", chromedp.ByQuery), chromedp.WaitVisible("#detail", chromedp.ByID))
	if text := eval[string](p, `document.querySelector("#detail").innerText`); !strings.Contains(text, "node-0010") || !strings.Contains(text, "Allowed rate") {
		t.Errorf("the detail shows %q", text)
	}
	p.shoot("detail", false)
}

func TestAddressOfAViewShowsTheHeader(t *testing.T) {
	for name, l := range map[string]look{"desktop": desktop, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			p := open(t, fake.New(60), l)
			p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(p.url+"/#links"))
			p.until("document.documentElement.dataset.ready > 0")
			p.until(`document.readyState === "complete" && !document.querySelector("#links").hidden`)
			p.until(`scrollY === 0 && document.querySelector("header").getBoundingClientRect().top >= 0`)
			p.shoot("address-"+name, false)
		})
	}
}

func TestFailedMemberHasItsNameInTheGraph(t *testing.T) {
	f := fake.New(60)
	p := open(t, f, desktop)
	f.SetState("node-0050", status.Failed)
	p.visit("links")
	p.until(`[...document.querySelectorAll("#graph .spot-name.failed")].some(n => n.textContent === "node-0050")`)
	p.shoot("failed-links", true)
}

func TestTileWithoutACurveKeepsNoSpaceForIt(t *testing.T) {
	p := open(t, fake.New(20), desktop)
	if n := eval[int](p, `[...document.querySelectorAll("#tiles .spark")].filter(s => !s.querySelector("path[d]")).length`); n > 0 {
		t.Errorf("%d tiles have an empty curve", n)
	}
	if blank := eval[float64](p, `(t => (t.getBoundingClientRect().bottom - t.querySelector(".note").getBoundingClientRect().bottom) / t.offsetHeight)(document.querySelector("#tiles .tile"))`); blank > 0.2 {
		t.Errorf("%.0f %% of the first tile is blank", 100*blank)
	}
}

func TestKeyboardIsEnough(t *testing.T) {
	p := open(t, fake.New(60), desktop)
	p.do(chromedp.KeyEvent(kb.Tab))
	if text := eval[string](p, "document.activeElement.innerText"); text != "Skip to the content" {
		t.Errorf("the first Tab is at %q", text)
	}
	for range 20 { // up to the link of the graph's view
		if eval[string](p, "document.activeElement.hash || ''") == "#links" {
			break
		}
		p.do(chromedp.KeyEvent(kb.Tab))
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.until(`!document.querySelector("#links").hidden`)
	for range 20 {
		if eval[bool](p, `document.activeElement.classList.contains("neighbor")`) {
			break
		}
		p.do(chromedp.KeyEvent(kb.Tab))
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.until(`document.querySelector("#detail").open`)
	p.do(chromedp.KeyEvent(kb.Escape))
	p.until(`!document.querySelector("#detail").open && document.activeElement.classList.contains("neighbor")`)
}

func TestThemeIsChosenAndKept(t *testing.T) {
	p := open(t, fake.New(20), dark)
	background := `getComputedStyle(document.body).backgroundColor`
	before := eval[string](p, background)
	p.do(chromedp.Click("#theme", chromedp.ByID))
	light := eval[string](p, background)
	if light == before {
		t.Errorf("the button changed nothing: %s", light)
	}
	p.do(chromedp.Reload())
	p.until("document.documentElement.dataset.ready > 0")
	if got := eval[string](p, background); got != light {
		t.Errorf("the background is %s after a reload, %s before", got, light)
	}
}

func TestTablesWorkWithoutJavaScript(t *testing.T) {
	l := desktop
	l.noScript = true
	p := open(t, fake.New(60), l)
	if n := eval[int](p, `document.querySelectorAll("#table-members tbody tr").length`); n != 60 {
		t.Errorf("%d members", n)
	}
	for _, v := range views {
		if !eval[bool](p, `document.querySelector("#`+v+`").getBoundingClientRect().height > 0`) {
			t.Errorf("%s is not shown", v)
		}
	}
	p.shoot("without-javascript", true)
}

func TestHostileNamesAreText(t *testing.T) {
	f := fake.New(20)
	f.Rename(1, `<img src=x onerror="document.title='owned'">`)
	f.Rename(2, `"><script>document.title='owned'</script>`)
	p := open(t, f, desktop)
	for _, v := range views {
		p.visit(v)
	}
	if title := eval[string](p, "document.title"); strings.Contains(title, "owned") {
		t.Errorf("the title is %q", title)
	}
	if n := eval[int](p, `document.querySelectorAll("main img, main script").length`); n > 0 {
		t.Errorf("%d elements were made of names", n)
	}
}

func TestPauseHoldsUpdatesBack(t *testing.T) {
	f := fake.New(20)
	p := open(t, f, desktop)
	p.visit("members")
	p.do(chromedp.Click("#pause", chromedp.ByID))
	f.SetState("node-0015", status.Failed)
	failed := `[...document.querySelectorAll("#table-members tbody tr")].some(r => r.cells[0].innerText === "node-0015" && r.cells[1].innerText === "failed")`
	p.until(`document.querySelector("#pause").innerText === "Resume"`)
	if eval[bool](p, failed) {
		t.Error("an update was shown while the page was paused")
	}
	p.do(chromedp.Click("#pause", chromedp.ByID))
	p.until(failed)
}

func TestShutdownOfTheNodeIsShown(t *testing.T) {
	f := fake.New(20)
	p := open(t, f, desktop)
	f.Shutdown()
	p.until(`document.querySelector("#live-text").innerText === "the node was shut down"`)
}
