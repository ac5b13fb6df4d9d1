package simreport

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/plot"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A Fact is a name and its value.
type Fact struct{ Name, Value string }

// A section is a part of the page: charts, and the most important figures in words.
type section struct {
	ID, Title string
	Facts     []Fact
	Charts    []template.HTML
}

// WritePage writes a page with plots of the report. The page requests nothing, and has no program in it.
func (r *Report) WritePage(w io.Writer) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, map[string]any{
		"Title": r.heading(), "Colors": template.CSS(plot.Colors), "Sections": r.sections(), "Parameters": r.Parameters.Facts(),
		"Program": r.programFacts(), "Data": template.JS(data), // json.Marshal escapes < and >
	})
}

func (r *Report) heading() string {
	where := "in one place"
	if len(r.Zones) > 0 {
		where = "in " + words.Many(len(r.Zones), "zone")
	}
	return fmt.Sprintf("%s %s, simulated", words.Many(r.Nodes, "node"), where)
}

func (r *Report) sections() (all []section) {
	add := func(id, title string, facts []Fact, charts ...plot.Chart) {
		s := section{ID: id, Title: title, Facts: facts}
		for _, c := range charts {
			s.Charts = append(s.Charts, template.HTML(c.SVG()))
		}
		all = append(all, s)
	}
	add("formation", "Formation", r.formationFacts(), r.formationChart())
	if r.Broadcast != nil {
		add("coverage", "Coverage", r.coverageFacts(), r.coverageChart())
		add("latency", "Latency by zone", r.latencyFacts(), r.latencyChart())
	}
	add("cost", "Copies and bytes", r.costFacts(), r.copiesChart(), r.bytesChart())
	if r.Failure != nil {
		add("detection", "Detection of crashes", r.detectionFacts(), r.detectionChart())
	}
	if len(r.Sizes) > 1 {
		add("sizes", "Cost against size", nil, r.bytesBySizeChart(), r.timesBySizeChart())
	}
	return all
}

// Facts returns the parameters by the names of their flags.
func (p *Parameters) Facts() []Fact {
	facts := []Fact{{"-nodes", words.Grouped(p.Nodes)}}
	if p.Map != "" {
		facts = append(facts, Fact{"-map", p.Map})
	}
	latency := p.Latency
	if latency == "" {
		latency = "as the zones"
	}
	mtu := words.Grouped(p.MTU) + " bytes"
	if p.Probed {
		mtu += ", found by the nodes"
	}
	return append(facts, Fact{"-zones", words.Grouped(p.Zones)}, Fact{"-preset", p.Preset}, Fact{"-strategy", p.Strategy}, Fact{"-formed", strconv.FormatBool(p.Formed)},
		Fact{"-subs", words.Grouped(p.Subscriptions)}, Fact{"-latency", latency}, Fact{"-jitter", percentText(p.Jitter)}, Fact{"-loss", percentText(p.Loss)}, Fact{"-mtu", mtu},
		Fact{"-idle", time.Duration(p.Idle).String()}, Fact{"-rate", fmt.Sprintf("%g messages/s", p.Rate)}, Fact{"-duration", time.Duration(p.Duration).String()},
		Fact{"-size", words.Bytes(float64(p.Size))}, Fact{"-crash", words.Grouped(p.Crashes)}, Fact{"-sizes", sizesText(p.Sizes)}, Fact{"-seed", strconv.FormatInt(p.Seed, 10)})
}

func sizesText(sizes []int) string {
	texts := make([]string, len(sizes))
	for i, n := range sizes {
		texts[i] = words.Grouped(n)
	}
	return strings.Join(texts, ", ")
}

func percentText(v float64) string { return fmt.Sprintf("%g %%", v) }

func (r *Report) programFacts() []Fact {
	facts := []Fact{{"gwyh", r.Program.Version}}
	if r.Program.Revision != "" {
		revision := r.Program.Revision
		if r.Program.Modified {
			revision += ", with changes"
		}
		facts = append(facts, Fact{"revision", revision})
	}
	return append(facts, Fact{"Go", r.Program.Go}, Fact{"platform", r.Program.Platform})
}
