package proxy

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts connections. Labels are bounded: listeners and reasons.
type Metrics struct {
	open     *prometheus.GaugeVec
	loggedIn prometheus.Gauge
	ended    *prometheus.CounterVec
}

// NewMetrics registers the metrics with r; nil keeps them unregistered.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "weir_proxy_connections",
			Help: "Client connections that are open, logged in or not."}, []string{"listener"}),
		loggedIn: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_proxy_sessions",
			Help: "Sessions that are logged in."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_proxy_connections_ended_total",
			Help: "Client connections that have ended, by reason."}, []string{"listener", "reason"}),
	}
	if r != nil {
		r.MustRegister(m.open, m.loggedIn, m.ended)
	}
	return m
}

// listening makes the listener's series, so that a first event is an increase.
func (m *Metrics) listening(listener string) {
	m.open.WithLabelValues(listener)
	for _, r := range EndReasons() {
		m.ended.WithLabelValues(listener, r.String())
	}
}

func (m *Metrics) opened(listener string) { m.open.WithLabelValues(listener).Inc() }

func (m *Metrics) closed(listener string, reason EndReason) {
	m.open.WithLabelValues(listener).Dec()
	m.ended.WithLabelValues(listener, reason.String()).Inc()
}

func (m *Metrics) sessions(n float64) { m.loggedIn.Add(n) }
