package agent

import (
	"net/http"

	"github.com/gwyh-go/gwyh/exporter/gwyhprom"
	"github.com/gwyh-go/gwyh/statuspage"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// page is the status page of the agent's node.
func (a *Agent) page() http.Handler { return statuspage.Handler(a.list) }

// metrics serves the figures of the node and of the process to Prometheus.
func (a *Agent) metrics() http.Handler {
	r := prometheus.NewRegistry() // of its own: there may be several agents in one process
	r.MustRegister(gwyhprom.New(a.list, gwyhprom.Options{Links: true}), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
