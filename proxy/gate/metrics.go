package gate

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the gate's figures. Labels are bounded: classes, rules, error classes.
type Metrics struct {
	statements *prometheus.CounterVec
	denials    *prometheus.CounterVec
	decision   prometheus.Histogram
	duration   *prometheus.HistogramVec
	lost       prometheus.Counter
}

// NewMetrics registers the figures with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_gate_statements_total",
			Help: "Statements judged, by class and decision."}, []string{"class", "decision"}),
		denials: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_gate_denials_total",
			Help: "Statements refused, by rule."}, []string{"rule"}),
		decision: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "weir_gate_decision_duration_seconds",
			Help: "Time to decide one statement.", Buckets: prometheus.ExponentialBuckets(1e-6, 4, 10)}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weir_gate_statement_duration_seconds",
			Help: "Time from decision to outcome, by class.", Buckets: prometheus.ExponentialBuckets(1e-4, 4, 10)}, []string{"class"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_gate_unrecorded_total",
			Help: "Events that the audit journal did not take."}),
	}
	if r != nil {
		r.MustRegister(m.statements, m.denials, m.decision, m.duration, m.lost)
	}
	return m
}

func (m *Metrics) decided(class string, d *Denial, took time.Duration) {
	m.decision.Observe(took.Seconds())
	if d == nil {
		m.statements.WithLabelValues(class, "allow").Inc()
		return
	}
	m.statements.WithLabelValues(class, "deny").Inc()
	m.denials.WithLabelValues(d.Rule).Inc()
}

func (m *Metrics) finished(class string, took time.Duration) {
	m.duration.WithLabelValues(class).Observe(took.Seconds())
}

func (m *Metrics) unrecorded() { m.lost.Inc() }
