package agent

import (
	"net/http"

	"github.com/gwyh-go/gwyh/exporter/gwyhprom"
	"github.com/gwyh-go/gwyh/statuspage"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// page returns the status page of the agent's node.
func (a *Agent) page() http.Handler { return statuspage.Handler(forPage{a.list}) }

// metrics serves the metrics of the node and of the process to Prometheus.
func (a *Agent) metrics() http.Handler {
	r := prometheus.NewRegistry() // one per agent: a process may run several agents
	r.MustRegister(gwyhprom.New(a.list, gwyhprom.Options{Links: true}), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
