package audit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the journal's Prometheus metrics. A nil *Metrics counts nothing.
type Metrics struct {
	events     *prometheus.CounterVec
	appends    prometheus.Histogram
	failures   prometheus.Counter
	group      prometheus.Histogram
	healthy    prometheus.Gauge
	checkpoint prometheus.Gauge
	dropped    *prometheus.CounterVec
	sinkErrors *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them with reg. It panics if they
// are registered already, as MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_audit_events_total",
			Help: "Audit records written, by kind."}, []string{"kind"}),
		appends: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "weir_audit_append_duration_seconds",
			Help:    "Time from Append to durable, refusals included.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 4, 10)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_audit_append_failures_total",
			Help: "Appends that were refused because the journal was unavailable."}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "weir_audit_group_records",
			Help:    "Records per write.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		healthy: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_audit_healthy",
			Help: "1 while the journal can be written, 0 while statements stop."}),
		checkpoint: prometheus.NewGauge(prometheus.GaugeOpts{Name: "weir_audit_last_checkpoint_timestamp_seconds",
			Help: "Unix time of the last signed checkpoint on disk."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_audit_sink_dropped_total",
			Help: "Records that a sink missed because its queue was full or it was closed."}, []string{"sink"}),
		sinkErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_audit_sink_errors_total",
			Help: "Records that a sink failed to take."}, []string{"sink"}),
	}
	reg.MustRegister(m.events, m.appends, m.failures, m.group, m.healthy, m.checkpoint, m.dropped, m.sinkErrors)
	return m
}

func (m *Metrics) written(kind Kind) {
	if m != nil {
		m.events.WithLabelValues(string(kind)).Inc()
	}
}

func (m *Metrics) appended(d time.Duration, err error) {
	if m == nil {
		return
	}
	m.appends.Observe(d.Seconds())
	if err != nil {
		m.failures.Inc()
	}
}

func (m *Metrics) failed() {
	if m != nil {
		m.failures.Inc()
	}
}

func (m *Metrics) wrote(records int) {
	if m != nil {
		m.group.Observe(float64(records))
	}
}

func (m *Metrics) setHealthy(ok bool) {
	if m == nil {
		return
	}
	if ok {
		m.healthy.Set(1)
	} else {
		m.healthy.Set(0)
	}
}

func (m *Metrics) checkpointed(t time.Time) {
	if m != nil {
		m.checkpoint.Set(float64(t.UnixNano()) / 1e9)
	}
}

func (m *Metrics) sinkDropped(sink string, n int) {
	if m != nil {
		m.dropped.WithLabelValues(sink).Add(float64(n))
	}
}

func (m *Metrics) sinkFailed(sink string) {
	if m != nil {
		m.sinkErrors.WithLabelValues(sink).Inc()
	}
}
