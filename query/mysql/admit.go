package mysql

// Bounds on a text. They keep the grammar's time linear and the depth of its
// trees, which the analysis walks by recursion, within a few ten megabytes.
const (
	maxBytes   = 64 << 20
	maxTokens  = 600_000
	maxLevels  = 512    // brackets in one another
	maxChain   = 20_000 // operators over one another
	maxStrings = 1_000  // strings that follow one another: they are joined in quadratic time
	maxNested  = 8      // statements in one another: EXPLAIN, SET STATEMENT, EXECUTE
	maxTexts   = 10_000 // statements of a text
)

// gate estimates the depth of the tree from the tokens; the estimate is never
// below it, because each production that nests without brackets needs a token
// that counts.
type gate struct {
	levels  []gateLevel // those around the innermost one
	in      gateLevel
	strings int
}

type gateLevel struct {
	chain int // of the expression that is being read
	child int // deepest bracket in it
	best  int // deepest expression before it
}

func (l *gateLevel) depth() int { return max(l.best, l.chain+l.child) }

// token counts one token and says why the text is too complex, empty if it is not.
func (g *gate) token(src string, t token) string {
	if t.kind == tokenString {
		if g.strings++; g.strings > maxStrings {
			return "too many adjacent strings"
		}
	} else {
		g.strings = 0
	}
	switch t.kind {
	case tokenOperator:
		switch src[t.start] {
		case '(', '{':
			if len(g.levels) >= maxLevels {
				return "nested too deeply"
			}
			g.levels = append(g.levels, g.in)
			g.in = gateLevel{}
		case ')', '}':
			if n := len(g.levels); n > 0 {
				d := g.in.depth() + 2
				g.in, g.levels = g.levels[n-1], g.levels[:n-1]
				g.in.child = max(g.in.child, d)
			}
		case ',':
			g.in.best = g.in.depth()
			g.in.chain, g.in.child = 0, 0
		case '.':
		default:
			g.in.chain++
		}
	case tokenWord:
		if chains(src[t.start:t.end]) {
			g.in.chain++
		}
	}
	if g.in.chain+g.in.child > maxChain {
		return "nested too deeply"
	}
	return ""
}

// chains reports a word that takes what was read so far as an operand, or
// nests what follows.
func chains(w string) bool {
	if len(w) < 2 || len(w) > 13 {
		return false
	}
	var lower [13]byte
	for i := 0; i < len(w); i++ {
		lower[i] = w[i] | 0x20
	}
	switch string(lower[:len(w)]) {
	case "and", "or", "xor", "not", "is", "in", "like", "between", "rlike", "regexp", "div", "mod", "collate", "binary", "case", "when",
		"then", "else", "join", "union", "except", "intersect", "minus", "interval", "sounds", "member", "escape", "exists", "all",
		"any", "some", "select", "with", "explain", "describe", "desc", "analyze", "prepare", "values", "of", "ilike":
		return true
	}
	return string(lower[:len(w)]) == "straight\x7fjoin"
}
