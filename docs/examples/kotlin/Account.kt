// Signs up, signs in, lists users and signs out. All that it needs is part of Android; elsewhere it takes org.json. By hand
// it was compiled with kotlinc 2.4.20 and run.

// region client
// Tests parse this and do not run it.
import java.net.HttpURLConnection
import java.net.URL
import java.net.URLEncoder
import java.util.UUID
import org.json.JSONObject

val BADGE = System.getenv("BADGE_URL") ?: "http://127.0.0.1:9600/local/iwc/badge"
val phone = "13800138000"
var cookie: String? = null // By hand: java.net.CookieManager puts quotes around the value.

// Returns the envelope of the reply. HTTP is always 200, so look at the code. On Android, not in the main thread.
fun call(method: String, path: String, body: JSONObject? = null, vararg headers: Pair<String, String>): JSONObject {
    val connection = URL(BADGE + path).openConnection() as HttpURLConnection
    connection.requestMethod = method
    connection.connectTimeout = 5_000
    connection.readTimeout = 5_000
    cookie?.let { connection.setRequestProperty("Cookie", it) }
    headers.forEach { (name, value) -> connection.setRequestProperty(name, value) }
    if (body != null) {
        connection.doOutput = true
        connection.outputStream.use { it.write(body.toString().toByteArray()) }
    }
    val envelope = JSONObject(connection.inputStream.bufferedReader().readText())
    check(envelope.getInt("code") == 0) { envelope }
    connection.getHeaderField("Set-Cookie")?.let { cookie = it.substringBefore(';') }
    return envelope
}

fun ask(question: String): String {
    print(question)
    return readln()
}
// endregion

fun main() {
    // region veri_code
    // The same key, sent twice, is one message.
    val key = "Idempotency-Key" to UUID.randomUUID().toString()
    val sent = call("POST", "/user/veri_code", JSONObject().put("phone", phone), key).getJSONObject("data")
    println("The code is good for ${sent.getInt("expires_in")} s.")
    // endregion

    // region register
    val person = JSONObject()
        .put("user_name", "张三")
        .put("gender", 1)
        .put("birth_day", "1990-01-02")
        .put("phone", phone)
        .put("veri_code", ask("Code: "))
    println(call("POST", "/user/register", person).getJSONObject("data").getString("user_id"))
    // endregion

    // To sign in takes a code of its own.
    ask("Wait for ${sent.getInt("retry_after")} s, then press Enter: ")
    call("POST", "/user/veri_code", JSONObject().put("phone", phone))

    // region login
    val proof = JSONObject().put("phone", phone).put("veri_code", ask("Code: "))
    val login = call("POST", "/user/login", proof).getJSONObject("data")
    println(login.getString("token"))
    // endregion

    // region user_index
    // The token will do in the place of the cookie.
    val token = "Authorization" to "Bearer ${login.getString("token")}"
    var cursor: String? = ""
    while (cursor != null) {
        val query = "limit=100&cursor=${URLEncoder.encode(cursor, "UTF-8")}"
        val page = call("GET", "/user/index?$query", null, token)
        val users = page.getJSONArray("data")
        for (at in 0 until users.length()) {
            val one = users.getJSONObject(at)
            println("${one.getString("id")} ${one.getString("user_name")} ${one.getString("phone")}")
        }
        cursor = if (page.isNull("next")) null else page.getString("next")
    }
    // endregion

    // region user_me
    val me = call("GET", "/user/me").getJSONObject("data")
    println(me.getString("role"))
    // endregion

    // region user_update
    // NULL clears an optional field.
    call("POST", "/user/update", JSONObject().put("user_name", "李四").put("city", JSONObject.NULL))
    // endregion

    // region user_token
    println(call("POST", "/user/token").getJSONObject("data").getInt("expires_in"))
    // endregion

    // region user_sessions
    println(call("GET", "/user/sessions").getJSONArray("data"))
    // endregion

    // region end_sessions
    call("POST", "/user/end_sessions", JSONObject().put("others", true))
    // endregion

    // region user_export
    println(call("GET", "/user/export").getJSONObject("data"))
    // endregion

    if (me.getString("role") == "admin") {
        // region admin_user
        val found = call("GET", "/admin/user?phone=${URLEncoder.encode(phone, "UTF-8")}").getJSONObject("data")
        println(found.getString("state"))
        // endregion

        // region admin_update
        call("POST", "/admin/update", JSONObject().put("phone", "13900139000").put("reset_tries", true))
        // endregion

        // region admin_audit
        val events = call("GET", "/admin/audit?id=${login.getString("user_id")}&limit=20").getJSONArray("data")
        for (at in 0 until events.length()) {
            val event = events.getJSONObject(at)
            println("${event.getString("at")} ${event.getJSONArray("fields")}")
        }
        // endregion
    }

    // region change_phone
    // Both phones receive a code by veri_code.
    fun changePhone(phone: String, veriCode: String, oldVeriCode: String): JSONObject {
        val body = JSONObject().put("phone", phone).put("veri_code", veriCode).put("old_veri_code", oldVeriCode)
        return call("POST", "/user/change_phone", body)
    }
    // endregion

    // region delete_account
    // A login with "restore": true restores it.
    fun deleteAccount(veriCode: String) = call("POST", "/user/delete", JSONObject().put("veri_code", veriCode))
    // endregion

    // region logout
    call("POST", "/user/logout")
    // endregion
}
