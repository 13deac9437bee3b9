import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;

/** MariaDB Connector/J: text and server-side prepared statements, batches, fetch size, several results, cancel. */
public class Connectorj {
  static final Map<String, String> ENV = System.getenv();
  static final String PEOPLE = "SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at"
      + " FROM customers WHERE id BETWEEN ? AND ? ORDER BY id";
  static final String PAYMENT = "SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?";
  static final String SALARIES = "SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id";
  static final String CONTACT = "SELECT id, email FROM customers WHERE id = ?";
  static final String DENIED = "SELECT id FROM customers WHERE email = ?";

  static Connection connect(String user, String password, boolean prepared) throws SQLException {
    Properties p = new Properties();
    p.setProperty("user", user);
    p.setProperty("password", password);
    p.setProperty("useSsl", "true");
    p.setProperty("serverSslCert", ENV.get("E2E_CA"));
    p.setProperty("useServerPrepStmts", String.valueOf(prepared));
    p.setProperty("allowMultiQueries", "true");
    return DriverManager.getConnection("jdbc:mariadb://" + ENV.get("E2E_HOST") + ":" + ENV.get("E2E_PORT") + "/" + ENV.get("E2E_DATABASE"), p);
  }

  static void observe(String step, Object value) {
    System.out.println("{\"step\":" + json(step) + ",\"value\":" + json(value) + "}");
  }

  static String json(Object v) {
    if (v == null || v instanceof Boolean || v instanceof Integer) return String.valueOf(v);
    if (v instanceof List) {
      StringJoiner j = new StringJoiner(",", "[", "]");
      for (Object e : (List<?>) v) j.add(json(e));
      return j.toString();
    }
    StringBuilder b = new StringBuilder("\"");
    for (char c : v.toString().toCharArray()) {
      if (c == '"' || c == '\\') b.append('\\').append(c);
      else if (c < ' ' || c > '~') b.append(String.format("\\u%04x", (int) c));
      else b.append(c);
    }
    return b.append('"').toString();
  }

  static String cell(Object v) {
    if (v == null) return null;
    if (v instanceof byte[]) return HexFormat.of().formatHex((byte[]) v);
    return v.toString();
  }

  static List<List<String>> rows(ResultSet r) throws SQLException {
    List<List<String>> all = new ArrayList<>();
    while (r.next()) {
      List<String> row = new ArrayList<>();
      for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) row.add(cell(r.getObject(i)));
      all.add(row);
    }
    r.close();
    return all;
  }

  static List<List<String>> fetch(Connection c, String sql, Object... args) throws SQLException {
    try (PreparedStatement s = c.prepareStatement(sql)) {
      return rows(run(s, args));
    }
  }

  static ResultSet run(PreparedStatement s, Object... args) throws SQLException {
    for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
    return s.execute() ? s.getResultSet() : null;
  }

  static Object[] errno(Connection c, String sql, Object... args) {
    try (PreparedStatement s = c.prepareStatement(sql)) {
      run(s, args);
      return new Object[] {0, "no error"};
    } catch (SQLException e) {
      return new Object[] {e.getErrorCode(), e.getMessage()};
    }
  }

  static void read(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement(PEOPLE)) {
      observe("people", rows(run(s, 15, 24)));
      observe("people", rows(run(s, 15, 24)));
      ResultSet r = run(s, 15, 15);
      r.next();
      List<String> types = new ArrayList<>();
      for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
        types.add(r.getObject(i).getClass().getName() + " " + r.getMetaData().getColumnTypeName(i) + " " + r.getMetaData().getPrecision(i)
            + " " + r.getMetaData().getTableName(i));
      observe("types", types);
    }
    List<List<String>> payments = new ArrayList<>();
    try (PreparedStatement s = c.prepareStatement(PAYMENT)) {
      for (int i : new int[] {3, 4}) payments.addAll(rows(run(s, i)));
    }
    observe("payments", payments);
    try (PreparedStatement s = c.prepareStatement(SALARIES)) {
      observe("salaries", rows(run(s, 5)));
      BigDecimal sum = BigDecimal.ZERO;
      for (ResultSet r = run(s, 5); r.next();) sum = sum.add(r.getBigDecimal("salary"));
      observe("salary_sum", sum);
    }
    try (Statement s = c.createStatement()) {
      s.setFetchSize(100); // streamed
      observe("cursor", rows(s.executeQuery("SELECT id, email FROM customers ORDER BY id")));
    }
    List<List<String>> columns = new ArrayList<>();
    for (ResultSet r = c.getMetaData().getColumns("shop", null, "customers", "%"); r.next();)
      columns.add(Arrays.asList(r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getString("IS_NULLABLE")));
    observe("columns", columns);
    try (Statement s = c.createStatement()) {
      s.execute("SELECT 1; SELECT id, email FROM customers WHERE id = 1");
      s.getMoreResults();
      observe("several", rows(s.getResultSet()));
    }
  }

  static void write(Connection admin) throws Exception {
    try (Statement s = admin.createStatement()) {
      s.execute("CREATE TEMPORARY TABLE written (id int, price decimal(10,2), day date, doc json, word varchar(40), bytes varbinary(10), at datetime(6))");
    }
    try (PreparedStatement s = admin.prepareStatement("INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?)")) {
      Object[][] batch = {{1, new BigDecimal("12.50"), LocalDate.of(2020, 2, 29), "{\"a\": [1, null]}", "gr\u00fc\u00dfe 'x' \\", new byte[] {0, -1},
          LocalDateTime.of(2024, 5, 6, 7, 8, 9)}, {2, null, null, null, null, null, null}};
      for (Object[] row : batch) {
        for (int i = 0; i < row.length; i++) s.setObject(i + 1, row[i]);
        s.addBatch();
      }
      s.executeBatch(); // in bulk where the server can
    }
    observe("written", fetch(admin, "SELECT id, price, day, doc, word, bytes, at FROM written ORDER BY id"));
  }

  static void refused(Connection c) throws Exception {
    Object[] denied = errno(c, DENIED, "david.huber1@example.org");
    observe("denied", denied[0]);
    observe("denied_message", denied[1]);
    observe("alive", fetch(c, "SELECT 1"));
    observe("read_only", errno(c, "UPDATE customers SET segment = ? WHERE id = ?", "x", 1)[0]);
    c.setAutoCommit(false);
    errno(c, DENIED, "x");
    Savepoint s = c.setSavepoint("s");
    errno(c, DENIED, "x");
    c.rollback(s);
    observe("in_transaction", fetch(c, CONTACT, 1));
    c.commit();
    c.setAutoCommit(true);
  }

  static void cancel(Connection admin) throws Exception {
    long began = System.nanoTime();
    try (Statement s = admin.createStatement()) {
      ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor();
      later.schedule(() -> { s.cancel(); return null; }, 500, TimeUnit.MILLISECONDS);
      try {
        s.execute("SELECT sleep(60) FROM products");
        observe("cancelled", 0);
      } catch (SQLException e) {
        observe("cancelled", e.getErrorCode());
      }
      later.shutdown();
    }
    observe("cancelled_soon", System.nanoTime() - began < 20_000_000_000L);
    observe("alive_after_cancel", fetch(admin, "SELECT 1"));
  }

  public static void main(String[] args) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    for (boolean prepared : new boolean[] {false, true}) {
      try (Connection c = connect(ENV.get("E2E_USER"), ENV.get("E2E_PASSWORD"), prepared);
           Connection admin = connect(ENV.get("E2E_ADMIN"), ENV.get("E2E_ADMIN_PASSWORD"), prepared)) {
        read(c);
        write(admin);
      }
    }
    if (!"1".equals(ENV.get("E2E_WEIR"))) return;
    try (Connection c = connect(ENV.get("E2E_USER"), ENV.get("E2E_PASSWORD"), true);
         Connection admin = connect(ENV.get("E2E_ADMIN"), ENV.get("E2E_ADMIN_PASSWORD"), true)) {
      refused(c);
      cancel(admin);
      try {
        connect(ENV.get("E2E_USER"), "wrong", true).close();
        observe("wrong_password", "accepted");
      } catch (SQLException e) {
        observe("wrong_password", e.getErrorCode());
      }
    }
  }
}
